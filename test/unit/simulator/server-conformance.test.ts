/** What every store must do, over each profile of the simulated server without any fault. */
import { runRemoteSuite } from '../../conformance/remote-suite.ts'
import { profileNames, profiles } from '../../simulator/profiles.ts'
import { createSimulatedServer } from '../../simulator/server.ts'
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts'

for (const name of profileNames) {
  runRemoteSuite(
    `a simulated ${name}`,
    async () => {
      const clock = createVirtualClock()
      const random = createSeededRandom(7)
      const server = createSimulatedServer({
        profile: profiles[name],
        clock,
        random,
        latencyMs: { min: 1, max: 20 },
      })
      return {
        connect: () => server.connect({ name: 'client', clock }),
        clock,
        random,
        run: (work) => clock.run(work),
        cleanUp: async () => {},
      }
    },
    { moveIsRename: profiles[name].move.how === 'rename' },
  )
}

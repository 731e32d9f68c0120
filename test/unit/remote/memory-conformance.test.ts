import { runRemoteSuite } from '../../conformance/remote-suite.ts'
import { createMemoryDav, type MemoryDavOptions } from '../../support/memory-dav.ts'
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts'

const profiles: Record<string, MemoryDavOptions> = {
  'a server in memory': {},
  'a server that answers 500 for a missing folder and hides lengths': {
    missingParentStatus: 500,
    hidesLength: true,
  },
  'a server that takes no absolute Destination': { refusesDestination: { form: 'absolute', status: 502 } },
  'a root that is yet to be made': { root: 'dav/team/store', bare: true },
}

for (const [name, options] of Object.entries(profiles)) {
  runRemoteSuite(name, async () => {
    const server = createMemoryDav(options)
    const clock = createVirtualClock()
    return {
      connect: () => server.connect(),
      clock,
      random: createSeededRandom(7),
      run: (work) => clock.run(work),
      cleanUp: async () => {},
    }
  })
}

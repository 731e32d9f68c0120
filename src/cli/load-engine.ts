/** Ties the commands to the instance and to the embedded server. Loaded by the first command that needs them. */
import type { Configuration } from '../instance/configuration.ts'
import type { Engine } from './engine.ts'
import { printable } from './output.ts'

/** What a level lets through: itself and what is graver. */
const ranks = { error: 0, info: 1, debug: 2 } as const

export async function loadEngine(): Promise<Engine<Configuration>> {
  const { loadConfiguration } = await import('../instance/configuration.ts')
  const { systemClock } = await import('../instance/system.ts')
  return {
    clock: systemClock,
    loadConfiguration: (input) => loadConfiguration(input),
    async openInstance(configuration, options) {
      const { openInstance } = await import('../http/open-instance.ts')
      const instance = await openInstance(configuration, {
        create: options.create ?? false,
        passive: !options.background,
        log: (level, message) => {
          if (ranks[level] <= ranks[configuration.logLevel]) options.log(printable(message), level)
        },
      })
      if (options.background) await instance.scannedOnce()
      return instance
    },
    async examine(configuration, options) {
      const { examine } = await import('../instance/doctor.ts')
      return examine(configuration, options)
    },
    async startWebdavServer(options) {
      const { startWebdavServer } = await import('../webdav-server/webdav-server.ts')
      return startWebdavServer(options)
    },
  }
}

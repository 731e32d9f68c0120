/** Ties the commands to the instance and to the embedded server. Loaded by the first command that needs them. */
import type { Configuration } from '../instance/configuration.ts'
import type { Engine } from './engine.ts'

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
        log: (_level, message) => options.log(message),
      })
      if (options.background) await instance.scannedOnce()
      return instance
    },
    async startWebdavServer(options) {
      const { startWebdavServer } = await import('../webdav-server/webdav-server.ts')
      return startWebdavServer(options)
    },
  }
}

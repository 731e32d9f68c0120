/**
 * Ties the commands to the instance and to the embedded server. Each part is loaded when it is first used: a command
 * that talks to a running instance needs no database.
 */
import type { CliConfiguration, Engine, OpenedInstance } from './engine.ts'

export async function loadEngine(): Promise<Engine> {
  // @ts-expect-error: comes with the instance
  const { systemClock } = await import('../instance/system-clock.ts')
  return {
    clock: systemClock,
    async loadConfiguration(input): Promise<CliConfiguration> {
      // @ts-expect-error: comes with the instance
      const { loadConfiguration } = await import('../instance/configuration.ts')
      return loadConfiguration(input)
    },
    async openInstance(configuration, options): Promise<OpenedInstance> {
      // @ts-expect-error: comes with the instance
      const { openInstance } = await import('../instance/open-instance.ts')
      return openInstance(configuration, options)
    },
    async startWebdavServer(options) {
      // @ts-expect-error: comes with the embedded server
      const { startWebdavServer } = await import('../webdav-server/webdav-server.ts')
      return startWebdavServer(options)
    },
  }
}

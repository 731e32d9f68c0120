/** An instance with its HTTP API: what embedding programs and the command line open. */

import { composeInstance, type OpenedInstance, type OpenOptions } from '../instance/compose-instance.ts'
import type { Configuration } from '../instance/configuration.ts'
import { systemClock } from '../instance/system.ts'
import { createApp } from './app.ts'

/** See `composeInstance`. `routes` may be mounted in a host's own Hono app; it checks the token on every request. */
export function openInstance(
  configuration: Configuration,
  options: OpenOptions = {},
): Promise<OpenedInstance> {
  return composeInstance(configuration, {
    ...options,
    routes: (instance, token) =>
      createApp({
        instance: () => instance,
        token,
        allowedHosts: 'mounted',
        clock: systemClock,
        report: (error) =>
          options.log?.('error', error instanceof Error ? (error.stack ?? error.message) : String(error)),
      }),
  })
}

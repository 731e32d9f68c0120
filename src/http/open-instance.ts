/** An instance with its HTTP API: what embedding programs and the command line open. */
import { composeInstance, type OpenedInstance, type OpenOptions } from '../instance/compose-instance.ts'
import { type Configuration, type ConfigurationDocument, configurationOf } from '../instance/configuration.ts'
import { systemClock } from '../instance/system.ts'
import { createApp } from './app.ts'

/**
 * See `composeInstance`. Takes what `loadConfiguration` gave, or an object in the shape of `davit.yml` with paths
 * relative to the current folder. `routes` may be mounted in a host's own Hono app; it checks the token on every
 * request.
 */
export async function openInstance(
  configuration: Configuration | ConfigurationDocument,
  options: OpenOptions = {},
): Promise<OpenedInstance> {
  const complete = isLoaded(configuration) ? configuration : configurationOf(configuration, process.cwd())
  return composeInstance(complete, {
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

/** A document has no key `file`; what was loaded has it always. */
function isLoaded(configuration: Configuration | ConfigurationDocument): configuration is Configuration {
  return Object.hasOwn(configuration, 'file')
}

/** The HTTP client that a configuration describes. */
import type { Clock, Random } from '../model/clock.ts'
import type { Transport } from '../remote/transport.ts'
import { openUndiciTransport } from '../remote/undici-transport.ts'
import type { Configuration } from './configuration.ts'

/** Without retries. `url`: another place on the same server, with the same credentials. */
export function openTransport(
  { remote }: Pick<Configuration, 'remote'>,
  ports: { readonly clock: Clock; readonly random: Random },
  url = remote.url,
): Transport {
  const { username, password, token, ca, clientCertificate, timeoutMs, concurrency } = remote
  return openUndiciTransport({
    url,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(token === undefined ? {} : { token }),
    ...(ca === undefined ? {} : { ca }),
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
    timeoutMs,
    concurrency,
    uploadBytesPerSecond: remote.upload,
    downloadBytesPerSecond: remote.download,
    ...ports,
  })
}

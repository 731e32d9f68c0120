/**
 * Whether a request was meant for this server, and by whom. Any page in a browser can reach loopback: `Host` tells a
 * name that was pointed here by a stranger (DNS rebinding), `Origin` a page of somebody else's.
 */
import { isIP } from 'node:net'
import { DavitError } from '../model/errors.ts'

const loopbackNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])
const anyAddress: ReadonlySet<string> = new Set(['0.0.0.0', '::', '[::]'])

function refused(message: string, hint: string): DavitError {
  return new DavitError('forbidden', message, { action: 'give-up', hint })
}

function parseHost(host: string): URL | null {
  if (/[/?#@\\\s]/.test(host)) return null
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`) : null
}

/**
 * Checks a `Host` header. Loopback names are good with the port that is served; a name in `allowed` with any port, or
 * with its own if it states one. Where all addresses are served (`0.0.0.0`, `::`), a bare IP address is good too: no
 * stranger's name can be pointed at us by that.
 *
 * @param port the port that took the request; `null` when it is not known.
 */
export function checkHost(host: string, allowed: readonly string[], port: number | null): void {
  const url = parseHost(host)
  if (url !== null) {
    const name = url.hostname.replace(/\.$/, '')
    const portMatches = port === null || Number(url.port === '' ? 80 : url.port) === port
    if (loopbackNames.has(name) && portMatches) return
    for (const entry of allowed) {
      if (anyAddress.has(entry)) {
        if (isIP(name.replace(/^\[|\]$/g, '')) !== 0) return
        continue
      }
      const wanted = parseHost(isIP(entry) === 6 ? `[${entry}]` : entry)
      if (wanted === null || wanted.hostname !== name) continue
      if (wanted.port === '' || wanted.port === url.port) return
    }
  }
  throw refused(
    'this server is not known by the name in the Host header',
    'Use the address that Davit printed when it started.',
  )
}

/** Checks an `Origin` header: only a page of this very server may call. `null` (files, sandboxes) may not. */
export function checkOrigin(origin: string, host: string): void {
  const page = URL.canParse(origin) ? new URL(origin) : null
  const own = parseHost(host)
  const isOurs =
    page !== null &&
    own !== null &&
    (page.protocol === 'http:' || page.protocol === 'https:') &&
    // The scheme is not compared: TLS may end in front of us. A default port is left out of both.
    page.host === (page.protocol === 'https:' ? own.host.replace(/:443$/, '') : own.host)
  if (!isOurs) {
    throw refused(
      'a page of another origin may not call this API',
      'Call it from a program, or from our own page.',
    )
  }
}

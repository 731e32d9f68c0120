/** Where a redirect leads, and whether it may be followed: reading only, and never to another origin. */
import { DavitError } from '../model/errors.ts'
import type { TransportRequest, TransportResponse } from './transport.ts'

export type Redirect =
  | { readonly kind: 'follow'; readonly url: URL; readonly location: string }
  | { readonly kind: 'refused'; readonly location: string }

export function redirectTarget(request: TransportRequest, url: URL, response: TransportResponse): Redirect {
  const { location = '' } = response.headers
  let target: URL
  try {
    target = new URL(location, url)
  } catch {
    return { kind: 'refused', location: '' }
  }
  target.username = ''
  target.password = ''
  target.hash = ''
  // 303 asks for a GET of something else.
  const isReading =
    request.method === 'GET' ||
    request.method === 'HEAD' ||
    (request.method === 'PROPFIND' && response.status !== 303)
  if (!isReading || location === '' || target.origin !== url.origin)
    return { kind: 'refused', location: location === '' ? '' : target.href }
  return { kind: 'follow', url: target, location: target.href }
}

/** A write is never sent to where it was not meant; the person is told which URL to configure. */
export function redirectError(
  request: TransportRequest,
  url: URL,
  status: number,
  location: string,
): DavitError {
  const isPermanent = status === 301 || status === 308
  const root =
    request.name !== '' && location.endsWith(request.name)
      ? location.slice(0, -request.name.length)
      : location
  const hint =
    location === ''
      ? 'Check the URL of the remote.'
      : `If the store has moved, set the URL of the remote to ${root}; a login page may also have answered in its place.`
  return new DavitError(
    'remote-unexpected',
    `${request.method} ${url.href} was redirected (${status}) to ${location === '' ? 'nowhere' : location}, which is not followed`,
    { action: isPermanent ? 'ask' : 'retry', hint, details: { status, location } },
  )
}

/** The remote's URL as a person wrote it, made into one that requests can be built on, and its credentials taken out. */
import { DavitError } from '../model/errors.ts'

export interface BaseUrl {
  /** Ends in a slash, percent-encoded, without credentials. */
  readonly href: string
  readonly origin: string
  readonly foldersAbove: number
  /** What stood before the `@`, decoded; `null` when nothing did. */
  readonly credentials: { readonly username: string; readonly password: string } | null
}

/** Spaces and stray percent signs are taken as meant. Throws `configuration-invalid`; the message shows no credentials. */
export function parseBaseUrl(text: string): BaseUrl {
  // A percent sign that starts no escape stands for itself: a folder may be called `100 %`.
  const escaped = text.trim().replace(/%(?![0-9a-f]{2})/gi, '%25')
  let url: URL
  try {
    url = new URL(escaped)
  } catch {
    throw invalid('it is no URL such as https://dav.example.org/team')
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw invalid('it must begin with https:// or http://')
  if (url.search !== '' || url.hash !== '')
    throw invalid("it has a '?' or a '#' (write %3F or %23 when a folder's name contains one)")
  const credentials =
    url.username === '' && url.password === ''
      ? null
      : { username: decode(url.username), password: decode(url.password) }
  url.username = ''
  url.password = ''
  const segments = url.pathname.split('/').filter((segment) => segment !== '')
  url.pathname = segments.length === 0 ? '/' : `/${segments.join('/')}/`
  return { href: url.href, origin: url.origin, foldersAbove: segments.length, credentials }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function invalid(problem: string): DavitError {
  return new DavitError('configuration-invalid', `the URL of the remote cannot be used: ${problem}`, {
    action: 'ask',
    hint: 'Correct remote.url in the configuration.',
  })
}

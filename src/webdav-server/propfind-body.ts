/** Reads what a PROPFIND asks for and says it again in the one spelling that the listing package is given. */
import type { IncomingMessage } from 'node:http'
import { HttpFailure } from './http-failure.ts'

/** The body of a PROPFIND in bytes; real ones have a few hundred. */
const bodyBytesMax = 16 * 1024

const knownProperties = [
  'creationdate',
  'displayname',
  'getcontentlength',
  'getcontenttype',
  'getetag',
  'getlastmodified',
  'resourcetype',
]

/** Reads the body. Throws 413 when it is too large. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > bodyBytesMax) throw new HttpFailure(413, 'the question is too long', { Connection: 'close' })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * The question as clean XML, or `''` for all properties. Properties that no file here has are left out of the answer.
 * Throws 400 for what is no PROPFIND.
 */
export function canonicalBody(body: string): string {
  if (body.trim() === '') return ''
  const names = [...body.matchAll(/<(?:[\w.-]+:)?([\w.-]+)(?=[\s/>])/g)].map((match) => match[1] ?? '')
  if (names[0] !== 'propfind') throw new HttpFailure(400, 'the body is not a PROPFIND')
  if (names[1] === 'propname') return wrap('<D:propname/>')
  if (names[1] !== 'prop') return ''
  const asked = knownProperties.filter((name) => names.includes(name, 2))
  return wrap(`<D:prop>${asked.map((name) => `<D:${name}/>`).join('')}</D:prop>`)
}

function wrap(inner: string): string {
  return `<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:">${inner}</D:propfind>`
}

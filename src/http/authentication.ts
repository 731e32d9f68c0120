/** Who may call: whoever shows the token. Every route but `/health/*` asks for it. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { DavitError } from '../model/errors.ts'

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/**
 * A check of `Authorization` headers against one token. Digests are compared, in constant time, so that neither the
 * length nor a common start of a guess can be told from the time that an answer takes.
 *
 * @throws DavitError `configuration-invalid` for an empty token, which would let anyone in.
 */
export function bearerCheck(token: string): (authorization: string | undefined) => void {
  if (token === '') {
    throw new DavitError('configuration-invalid', 'the API token is empty', {
      action: 'give-up',
      hint: 'Remove the empty token from the configuration; one is made at the first start.',
    })
  }
  const expected = digest(token)
  return (authorization) => {
    const shown = /^Bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1]
    if (shown === undefined || !timingSafeEqual(digest(shown), expected)) {
      throw new DavitError('unauthorized', 'this needs the API token', {
        action: 'ask',
        hint: "Send 'Authorization: Bearer TOKEN'; the token is in the file 'token' of the state folder.",
      })
    }
  }
}

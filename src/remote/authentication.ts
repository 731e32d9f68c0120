/** Which `Authorization` a request carries: a bearer token, Basic at once, or Digest as soon as the server asks for it. */
import type { Random } from '../model/clock.ts'
import { type DigestChallenge, digestAuthorization, parseDigestChallenge } from './digest-authentication.ts'

export interface Authentication {
  /** The header for the next request; `null` when there are no credentials. */
  header(method: string, target: string): string | null
  /**
   * Looks at a 401's `WWW-Authenticate`. Whether the same request may succeed now: the server asked for Digest for the
   * first time, or with a nonce that replaces a stale one.
   */
  learn(challenge: string): boolean
}

export interface Credentials {
  readonly username?: string
  readonly password?: string
  readonly token?: string
}

export function createAuthentication(credentials: Credentials, random: Random): Authentication {
  const { username, password = '', token } = credentials
  let digest: DigestChallenge | null = null
  let count = 0
  if (token !== undefined) return { header: () => `Bearer ${token}`, learn: () => false }
  if (username === undefined) return { header: () => null, learn: () => false }
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  return {
    header(method, target) {
      if (digest === null) return basic
      count++
      return digestAuthorization(digest, {
        method,
        target,
        username,
        password,
        count,
        clientNonce: random.hex(16),
      })
    },
    learn(challenge) {
      const asked = parseDigestChallenge(challenge)
      // Another nonce without `stale`, right after an answer: several requests learned at once, or a wrong password.
      if (asked === null || (digest !== null && digest.nonce === asked.nonce && !asked.isStale)) return false
      digest = asked
      count = 0
      return true
    },
  }
}

/** The one place where errors become HTTP: a code gives a status, an error gives a problem document (RFC 9457). */
import { type DavitError, type ErrorCode, isDavitError } from '../model/errors.ts'

const statusOfCode: Readonly<Record<ErrorCode, number>> = {
  'configuration-invalid': 500,
  'workspace-missing': 503,
  'state-missing': 503,
  'state-locked': 503,
  'state-newer': 503,
  'bad-request': 400,
  'not-found': 404,
  unauthorized: 401,
  forbidden: 403,
  'conflict-stale': 409,
  'precondition-failed': 412,
  'remote-unreachable': 503,
  'remote-busy': 503,
  'remote-unexpected': 502,
  'remote-full': 507,
  'remote-unauthorized': 502,
  'remote-missing': 409,
  'remote-rolled-back': 409,
  'remote-foreign': 409,
  'remote-newer': 409,
  'remote-damaged': 502,
  'remote-too-large': 502,
  'workspace-vanished': 503,
  'workspace-replaced': 409,
  'workspace-restored': 409,
  'path-unsafe': 400,
  'path-unrepresentable': 422,
  'file-busy': 409,
  'file-changed': 409,
  'file-unreadable': 409,
  'disk-full': 507,
  'deletion-guard': 409,
  stopped: 503,
  internal: 500,
}

/** Refusals that only HTTP knows, and the code that the problem document states. */
export type RefusalCode = 'body-too-large' | 'body-too-slow' | 'media-type-unsupported' | 'too-many-streams'
const statusOfRefusal: Readonly<Record<RefusalCode, number>> = {
  'body-too-large': 413,
  'body-too-slow': 408,
  'media-type-unsupported': 415,
  'too-many-streams': 503,
}

/** A request that is refused for its form, before any verb is called. */
export class RefusedRequest extends Error {
  readonly code: RefusalCode

  constructor(code: RefusalCode, message: string) {
    super(message)
    this.name = 'RefusedRequest'
    this.code = code
  }
}

/** A problem document. `type` names the kind of problem, not a page. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
}

function problemOf(code: string, status: number, detail: string): Problem {
  const words = code.replaceAll('-', ' ')
  return {
    type: `urn:davit:problem:${code}`,
    title: words.charAt(0).toUpperCase() + words.slice(1),
    status,
    detail,
    code,
  }
}

function detailOf(error: DavitError): string {
  const sentence = /[.!?]$/.test(error.message) ? error.message : `${error.message}.`
  return error.hint === undefined ? error.message : `${sentence} ${error.hint}`
}

/**
 * What a client is told about an error. An error that nobody foresaw says only that it happened: its text may hold
 * what is nobody's business.
 */
export function problemOfError(error: unknown): Problem {
  if (error instanceof RefusedRequest) {
    return problemOf(error.code, statusOfRefusal[error.code], error.message)
  }
  if (isDavitError(error) && error.code !== 'internal') {
    return problemOf(error.code, statusOfCode[error.code], detailOf(error))
  }
  return problemOf(
    'internal',
    statusOfCode.internal,
    'something went wrong here; the log of the instance says more',
  )
}

/** The response for an error, as `application/problem+json`. */
export function errorResponse(error: unknown): Response {
  const problem = problemOfError(error)
  const headers = new Headers({ 'content-type': 'application/problem+json' })
  if (problem.status === 401) headers.set('www-authenticate', 'Bearer realm="davit"')
  if (isDavitError(error) && error.retryAfterMs !== undefined) {
    headers.set('retry-after', String(Math.ceil(error.retryAfterMs / 1000)))
  }
  return new Response(JSON.stringify(problem), { status: problem.status, headers })
}

/** How a verb of the embedded server says no: thrown anywhere below the dispatcher, which turns it into the reply. */

export class HttpFailure extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.name = 'HttpFailure'
    this.status = status
    this.headers = headers
  }
}

const statusOfCode: Readonly<Record<string, number>> = {
  ENOENT: 404,
  ENOTDIR: 409,
  EISDIR: 405,
  EEXIST: 405,
  ENOTEMPTY: 409,
  ELOOP: 403,
  EACCES: 403,
  EPERM: 403,
  EROFS: 403,
  ENAMETOOLONG: 400,
  EINVAL: 400,
  EMFILE: 503,
  ENFILE: 503,
  EBUSY: 503,
  ENOSPC: 507,
  EDQUOT: 507,
  EFBIG: 507,
}

/** The system's code of a failed file operation, such as `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** The reply to whatever a verb threw. Paths of this machine stay out of it. */
export function failureOf(error: unknown): HttpFailure {
  if (error instanceof HttpFailure) return error
  const code = systemCode(error)
  const status = code === undefined ? undefined : statusOfCode[code]
  return new HttpFailure(status ?? 500, status === undefined ? 'internal error' : `refused: ${code}`)
}

/** What a system call's error means, classified once. */
import { DavitError } from '../model/errors.ts'

/** The error's code (`ENOENT`), or an empty string for what is no system error. */
export function systemCode(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return ''
}

/** Nothing is there under that name, or what is above it is no folder. */
export function isMissing(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** No permission, or a path beyond what the system can name: what is there can be neither read nor watched. */
export function isRefusal(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'ENAMETOOLONG'].includes(systemCode(error))
}

/** The file system cannot hold this name. */
export function isNameRefused(error: unknown): boolean {
  return ['ENAMETOOLONG', 'EINVAL', 'EILSEQ'].includes(systemCode(error))
}

/** Hard links are not possible here: not on this file system, not for this file, or too many already. */
export function isLinkRefused(error: unknown): boolean {
  return ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EACCES'].includes(systemCode(error))
}

/** A DavitError for a failed system call on `subject` (a workspace path or a folder, for the message). */
export function toDavitError(error: unknown, subject: string): DavitError {
  if (error instanceof DavitError) return error
  const code = systemCode(error)
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new DavitError('disk-full', `There is no space left to write '${subject}'.`, {
        action: 'ask',
        hint: 'Free some space on the disk of the workspace and of the state folder.',
        details: { path: subject, system: code },
        cause: error,
      })
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ELOOP':
      return new DavitError('file-changed', `'${subject}' is not what it was any more.`, {
        action: 'retry',
        details: { path: subject, system: code },
        cause: error,
      })
    case '':
      return new DavitError('internal', `Unexpected failure at '${subject}'.`, {
        action: 'give-up',
        details: { path: subject },
        cause: error,
      })
    default:
      return new DavitError('file-unreadable', `'${subject}' cannot be read or written (${code}).`, {
        action: 'retry',
        hint: 'Check the permissions of the file and of the folders above it, and the health of the disk.',
        details: { path: subject, system: code },
        cause: error,
      })
  }
}

/** Paths as people type them, made into paths of the workspace. */
import { realpathSync } from 'node:fs'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import { DavitError } from '../model/errors.ts'
import { isAtOrBelow, unsafePathReason } from '../model/path.ts'

/** The place behind links, where there is one. */
function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function toPosix(path: string): string {
  return sep === '/' ? path : path.split(sep).join('/')
}

/**
 * The workspace path that is meant: relative to the current folder where that leads into the workspace, else to the
 * workspace. `''` is the whole workspace.
 *
 * @throws DavitError `bad-request` for a path outside the workspace.
 */
export function workspacePath(
  given: string,
  place: { readonly cwd: string; readonly workspace: string },
): string {
  const workspace = real(place.workspace)
  const cwd = real(place.cwd)
  // From outside, what the shell completes is meant when it leads inside; otherwise a path of the workspace.
  const isInside = isAtOrBelow(toPosix(resolve(cwd, given)), toPosix(workspace))
  const start = isInside || isAtOrBelow(toPosix(cwd), toPosix(workspace)) ? cwd : workspace
  // Only a folder that is given absolutely may be spelled through a link; below it names are taken as they are.
  const target = isAbsolute(given) ? given.replace(place.workspace, workspace) : resolve(start, given)
  const path = toPosix(relative(workspace, resolve(target)))
  const reason = path === '' ? null : unsafePathReason(path)
  if (reason !== null || isAbsolute(path)) {
    throw new DavitError('bad-request', `'${given}' is no path of the workspace ${place.workspace}`, {
      action: 'ask',
      hint: 'Give paths relative to the current folder or to the workspace.',
    })
  }
  return path
}

/** Which names cause trouble on some platform, and which names are one name there. Reported, never refused. */
import type { FilePath } from '../model/file-state.ts'
import { segmentBytesMax } from '../model/limits.ts'

/** Windows without long-path support; a path has to fit behind the workspace's own. */
const windowsPathMax = 240
const reserved = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)$/i
const forbidden = /[<>:"|?*\\]/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const control = /[\u0000-\u001f\u007f]/u

/** Sentences about a path that some platform cannot hold as it is; none when it is portable. */
export function portabilityProblems(path: FilePath): string[] {
  const problems = path.split('/').flatMap(segmentProblems)
  if (path.length > windowsPathMax) {
    problems.push(`The path has ${path.length} characters; Windows may take no more than ${windowsPathMax}.`)
  }
  return [...new Set(problems)]
}

function segmentProblems(segment: string): string[] {
  const problems: string[] = []
  const shown = JSON.stringify(segment)
  // Windows looks at what is before the first dot, and ignores spaces there.
  const stem = segment.split('.')[0]?.trimEnd() ?? ''
  if (reserved.test(stem)) problems.push(`${shown} is a device name on Windows.`)
  if (/[. ]$/u.test(segment)) problems.push(`${shown} ends in a dot or a space, which Windows drops.`)
  const character = forbidden.exec(segment)
  if (character !== null) problems.push(`${shown} contains ${character[0]}, which Windows does not allow.`)
  if (control.test(segment)) problems.push(`${shown} contains a control character.`)
  if (!segment.isWellFormed()) problems.push(`${shown} is not well-formed Unicode.`)
  if (Buffer.byteLength(segment) > segmentBytesMax) {
    problems.push(`${shown} is longer than ${segmentBytesMax} bytes.`)
  }
  return problems
}

/**
 * Two paths with one folded form may be one file on a disk that ignores case or normalisation. Full case folding, as
 * far as the case mappings of the language give it: by way of upper case ß meets ss and both sigmas meet, and by way of
 * lower case before it ẞ does.
 */
export function foldPath(path: FilePath): string {
  return path.normalize('NFD').toLowerCase().toUpperCase().toLowerCase().normalize('NFC')
}

/**
 * The names in the store and what they say: one pair of functions for each kind. Lower-case ASCII only; none depends on
 * a user's file name; whatever does not match to the letter is not ours and is left alone.
 */
import { type ChainPoint, emptyStorePoint, type ObjectName } from '../model/changeset.ts'
import type { ContentHash, InstanceId } from '../model/file-state.ts'

export const versionFolder = 'version/'
export const changesFolder = 'changes/'
export const checkpointsFolder = 'checkpoints/'
export const instancesFolder = 'instances/'
export const lockFolder = 'lock/'
export const freeLockName = 'lock/free'
export const metadataName = 'metadata.db'
export const formatName = 'format.json'

/** What the head's file holds, always. Its length tells a head from a login page; its text tells a person. */
export const headContent: Uint8Array = new TextEncoder().encode('davit head: see docs/spec format')

/** The bytes of randomness in a token. */
export const tokenBytes = 12

const versionDigits = 12
const hashPattern = '[0-9a-f]{64}'
const tokenPattern = '[0-9a-f]{16,64}'
const uuidPattern = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'

/** `doctor-<machine>-<pid>-<start>-<seconds>-<token>`. */
const probeRegExp = new RegExp(`^doctor-([0-9a-f]{16}-\\d{1,12}-\\d{1,20})-(\\d{1,12})-${tokenPattern}$`)
const pointRegExp = new RegExp(`^(\\d{${versionDigits}})-(${hashPattern})$`)
const contentRegExp = new RegExp(`^([0-9a-f]{2})/(${hashPattern})-${tokenPattern}$`)
const checkpointRegExp = new RegExp(
  `^checkpoints/(\\d{${versionDigits}})-(${hashPattern})-${tokenPattern}\\.db$`,
)
const instanceRegExp = new RegExp(`^(${uuidPattern})-${tokenPattern}$`)
const heldRegExp = new RegExp(`^held-(${uuidPattern})-${tokenPattern}$`)

function pointText(point: ChainPoint): string {
  return `${String(point.version).padStart(versionDigits, '0')}-${point.hash}`
}

/** `version/<V>-<hash>`. */
export function headName(point: ChainPoint): string {
  return versionFolder + pointText(point)
}

/** What a name inside `version/` says; `null` when it is none of ours. Version 0 has one hash only. */
export function parseHead(name: string): ChainPoint | null {
  const match = pointRegExp.exec(name)
  if (match === null) return null
  const point = { version: Number(match[1]), hash: match[2] as string }
  return (point.version === 0) === (point.hash === emptyStorePoint.hash) ? point : null
}

/** `changes/<V div 1000>/`, nine digits. */
export function changesetFolder(point: ChainPoint): string {
  return `${changesFolder}${String(Math.floor(point.version / 1000)).padStart(versionDigits - 3, '0')}/`
}

export function changesetName(point: ChainPoint): string {
  return changesetFolder(point) + pointText(point)
}

/** `ab/`, the first two digits of the hash. */
export function contentFolder(hash: ContentHash): string {
  return `${hash.slice(0, 2)}/`
}

export function contentName(hash: ContentHash, token: string): ObjectName {
  return `${contentFolder(hash)}${hash}-${token}`
}

/** The hash that a content's name carries; `null` for any other name. */
export function parseContentName(name: string): ContentHash | null {
  const match = contentRegExp.exec(name)
  return match?.[2]?.startsWith(match[1] as string) === true ? match[2] : null
}

/** `checkpoints/<V>-<hash>-<token>.db`; the hash is that of the file. */
export function checkpointName(version: number, hash: ContentHash, token: string): ObjectName {
  return `${checkpointsFolder}${pointText({ version, hash })}-${token}.db`
}

export function parseCheckpointName(name: string): { version: number; hash: ContentHash } | null {
  const match = checkpointRegExp.exec(name)
  return match === null ? null : { version: Number(match[1]), hash: match[2] as string }
}

export function instanceName(id: InstanceId, token: string): string {
  return `${instancesFolder}${id}-${token}`
}

/** Whose file a name inside `instances/` is; `null` for any other name. */
export function parseInstanceName(name: string): InstanceId | null {
  return instanceRegExp.exec(name)?.[1] ?? null
}

/** `held-<instance>-<token>`, inside `lock/`. */
export function heldLockName(id: InstanceId, token: string): string {
  return `${lockFolder}held-${id}-${token}`
}

/** The holder that a name inside `lock/` states; `null` for any other name, `free` included. */
export function parseHeldLock(name: string): InstanceId | null {
  return heldRegExp.exec(name)?.[1] ?? null
}

/**
 * Where a probe of the server works: no instance reads or makes such a name. `owner` names the process that made it,
 * `startedAt` is in milliseconds.
 */
export function probeFolder(owner: string, startedAt: number, token: string): string {
  return `doctor-${owner}-${Math.floor(startedAt / 1000)}-${token}/`
}

/** What the name of a probe's folder (without its slash) says; `null` for any other name. */
export function parseProbeFolder(name: string): { owner: string; startedAt: number } | null {
  const match = probeRegExp.exec(name)
  return match === null ? null : { owner: match[1] as string, startedAt: Number(match[2]) * 1000 }
}

/** What the exit code says: the one map from outcomes and errors. */
import { type ErrorCode, isDavitError } from '../model/errors.ts'
import type { Outcome, RunSummary } from '../model/run.ts'

export const exitCodes = {
  inSync: 0,
  failed: 1,
  usage: 2,
  conflicts: 3,
  halted: 4,
  unreachable: 5,
  /** A second signal ended the process in the middle of closing. */
  interrupted: 130,
} as const

const codeOfOutcome: Readonly<Record<Outcome, number>> = {
  'in-sync': exitCodes.inSync,
  conflicts: exitCodes.conflicts,
  halted: exitCodes.halted,
  unreachable: exitCodes.unreachable,
  failed: exitCodes.failed,
}

const codeOfError: Readonly<Partial<Record<ErrorCode, number>>> = {
  'configuration-invalid': exitCodes.usage,
  'workspace-missing': exitCodes.usage,
  'state-missing': exitCodes.usage,
  'bad-request': exitCodes.usage,
  'path-unsafe': exitCodes.usage,
  'remote-unauthorized': exitCodes.usage,
  'remote-unreachable': exitCodes.unreachable,
  'remote-busy': exitCodes.unreachable,
  'remote-unexpected': exitCodes.unreachable,
  'remote-full': exitCodes.unreachable,
  'remote-too-large': exitCodes.unreachable,
  'remote-missing': exitCodes.halted,
  'remote-rolled-back': exitCodes.halted,
  'remote-foreign': exitCodes.halted,
  'remote-newer': exitCodes.halted,
  'remote-damaged': exitCodes.halted,
  'workspace-vanished': exitCodes.halted,
  'workspace-replaced': exitCodes.halted,
  'workspace-restored': exitCodes.halted,
  'deletion-guard': exitCodes.halted,
}

/** A server that refuses the user or the password is reached: to try again is no help, the configuration has to change. */
export function exitCodeOfRun({ outcome, error }: Pick<RunSummary, 'outcome' | 'error'>): number {
  return error?.code === 'remote-unauthorized' ? exitCodes.usage : codeOfOutcome[outcome]
}

/** Errors that are in no list mean that it failed. */
export function exitCodeOfError(error: unknown): number {
  return isDavitError(error) ? exitCodeOfCode(error.code) : exitCodes.failed
}

export function exitCodeOfCode(code: ErrorCode): number {
  return codeOfError[code] ?? exitCodes.failed
}

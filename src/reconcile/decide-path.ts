/** Path and mode of a file that both sides have: one-sided changes win, the committed one where both changed. */
import type { FilePath } from '../model/file-state.ts'
import type { Notice, RuleId } from './decision.ts'
import type { BothSides } from './reconcile-input.ts'
import { compareThreeWay, ruleOf } from './three-way.ts'

export interface PathOutcome {
  readonly rules: readonly RuleId[]
  readonly path: FilePath
  readonly notices: readonly Notice[]
}

export function decidePath({ local, synced, remote }: BothSides): PathOutcome {
  const verdict = compareThreeWay({ base: synced?.path, local: local.path, remote: remote.path })
  if (verdict === 'push') return { rules: ruleOf(verdict), path: local.path, notices: [] }
  if (verdict !== 'clash') return { rules: ruleOf(verdict), path: remote.path, notices: [] }
  const rule = 'R9-committed-path-wins'
  const detail = `Moved to ${local.path} here and to ${remote.path} elsewhere; the committed path stands.`
  return { rules: [rule], path: remote.path, notices: [{ rule, path: remote.path, detail }] }
}

export interface ModeOutcome {
  readonly rules: readonly RuleId[]
  readonly executable: boolean
  readonly notices: readonly Notice[]
}

/** Two changes of one bit are equal, so both sides differ only where there was nothing to start from. */
export function decideMode({ local, synced, remote }: BothSides): ModeOutcome {
  const bits = { base: synced?.executable, local: local.executable, remote: remote.executable }
  const verdict = compareThreeWay(bits)
  if (verdict === 'push') return { rules: ruleOf(verdict), executable: local.executable, notices: [] }
  if (verdict !== 'clash') return { rules: ruleOf(verdict), executable: remote.executable, notices: [] }
  const rule = 'R21-mode-committed-wins'
  const detail = 'Created on both sides, executable on one only; the committed mode stands.'
  return { rules: [rule], executable: remote.executable, notices: [{ rule, path: remote.path, detail }] }
}

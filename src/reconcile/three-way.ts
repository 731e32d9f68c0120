/** The one comparison that every aspect goes through: local and remote, each against what both agreed on. */
import type { RuleId } from './decision.ts'

/** `clash`: both changed it, to different values. */
export type Verdict = 'unchanged' | 'push' | 'pull' | 'adopt' | 'clash'

/** `base` is `undefined` where nothing was agreed on: then two equal values are adopted and others clash. */
export function compareThreeWay<T>(
  values: { readonly base: T | undefined; readonly local: T; readonly remote: T },
  equal: (left: T, right: T) => boolean = Object.is,
): Verdict {
  const { base, local, remote } = values
  const here = base === undefined || !equal(base, local)
  const there = base === undefined || !equal(base, remote)
  if (equal(local, remote)) return here ? 'adopt' : 'unchanged'
  if (!here) return 'pull'
  return there ? 'clash' : 'push'
}

/** The rule that stands for a verdict which settles itself. */
export function ruleOf(verdict: Exclude<Verdict, 'clash'>): RuleId[] {
  switch (verdict) {
    case 'unchanged':
      return []
    case 'push':
      return ['R2-push']
    case 'pull':
      return ['R3-pull']
    case 'adopt':
      return ['R4-adopt']
  }
}

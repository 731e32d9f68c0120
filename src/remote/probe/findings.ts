/** What was measured of a server, in the order in which it matters, as sentences for people. Pure. */
import type { ServerFacts } from './facts.ts'
import type { Finding } from './finding.ts'
import {
  judgeLimits,
  judgeNames,
  judgePace,
  judgePlace,
  judgeTraffic,
  judgeUploads,
} from './judge-comfort.ts'
import { judgeBasics, judgeListing, judgeMoves, judgeRename, judgeVisibility } from './judge-protocol.ts'

export function judgeServer(facts: ServerFacts): Finding[] {
  return [
    ...judge(facts.basics, judgeBasics),
    ...judge(facts.listing, judgeListing),
    ...judge(facts.moves, judgeMoves),
    ...judge(facts.rename, judgeRename),
    ...judge(facts.visibility, judgeVisibility),
    ...judge(facts.uploads, judgeUploads),
    ...judgeTraffic(facts.traffic),
    ...judge(facts.limits, judgeLimits),
    ...judge(facts.names, judgeNames),
    ...judgePlace(facts.place),
    ...judge(facts.pace, judgePace),
    ...Object.entries(facts.failures).map(([name, reason]) => notMeasured(name, reason)),
  ]
}

function judge<T>(facts: T | null, of: (facts: T) => readonly Finding[]): readonly Finding[] {
  return facts === null ? [] : of(facts)
}

function notMeasured(name: string, reason: string): Finding {
  const isNeeded = ['basics', 'moves', 'listing', 'rename', 'visibility'].includes(name)
  return {
    id: name,
    level: isNeeded ? 'missing' : 'note',
    summary: `this could not be measured: ${reason}`,
    ...(isNeeded ? { advice: 'Without it nothing can be said about this server. Try again.' } : {}),
  }
}

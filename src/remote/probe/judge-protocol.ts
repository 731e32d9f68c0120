/** What the facts mean that the protocol rests on: without these nothing is safe. Pure. */
import type { BasicFacts, ListingFacts, MoveFacts, RenameFacts, VisibilityFacts } from './facts.ts'
import { type Finding, otherServer, pastTheCache, say } from './finding.ts'

export function judgeBasics(facts: BasicFacts): Finding[] {
  const needed: readonly [isThere: boolean, what: string][] = [
    [facts.put, 'PUT does not keep a new file as it was sent'],
    [facts.putEmpty, 'an empty file is not kept'],
    [facts.replace, 'PUT does not replace a file'],
    [facts.getMissing === 404, `GET of what is not there answers ${say(facts.getMissing)} instead of 404`],
    [facts.headMissing === 404, `HEAD of what is not there answers ${say(facts.headMissing)} instead of 404`],
    [facts.headLength !== 'wrong', 'HEAD tells a wrong length'],
    [facts.remove, 'a file that was deleted is still there'],
    [facts.mkcol, 'no file can be put into a folder that was made'],
  ]
  const wrong = needed.filter(([isThere]) => !isThere).map(([, what]) => what)
  const files: Finding =
    wrong.length === 0
      ? { id: 'files', level: 'good', summary: 'files are kept, given back to the byte, and deleted' }
      : { id: 'files', level: 'missing', summary: `not safe: ${wrong.join('; ')}`, advice: otherServer }
  const length: Finding[] =
    facts.headLength === 'absent'
      ? [
          {
            id: 'head-length',
            level: 'but',
            summary: 'HEAD tells no length: works, but `verify` has to read whole files to see their size',
          },
        ]
      : []
  const range: Finding =
    facts.range === 'part'
      ? { id: 'range', level: 'good', summary: 'parts of a file can be asked for' }
      : {
          id: 'range',
          level: 'note',
          summary:
            'parts of a file cannot be asked for: works; whole files are read, as this version always does',
        }
  return [files, ...length, range]
}

export function judgeListing(facts: ListingFacts): Finding[] {
  if (facts.readable && facts.listsAll && facts.listsItself && facts.missing === 404) {
    return [{ id: 'listing', level: 'good', summary: 'a folder lists all that is in it' }]
  }
  const wrong = !facts.readable
    ? `PROPFIND with Depth 1 was answered with ${say(facts.status)} and nothing that can be read`
    : !facts.listsAll
      ? 'a folder does not list all that is in it'
      : !facts.listsItself
        ? 'a folder does not list itself, so an empty answer cannot be told from a broken one'
        : `a missing folder is answered with ${say(facts.missing)} instead of 404`
  return [{ id: 'listing', level: 'missing', summary: `not safe: ${wrong}`, advice: otherServer }]
}

export function judgeMoves(facts: MoveFacts): Finding[] {
  const findings: Finding[] = []
  if (!facts.move) {
    findings.push({
      id: 'move',
      level: 'missing',
      summary: 'not safe: a file cannot be renamed (MOVE), and every commit is a rename',
      advice:
        'Allow MOVE on the server (nginx: dav_methods … MOVE). Behind a proxy, let it keep the Host header, or correct the Destination header.',
    })
  } else if (!facts.absoluteDestination) {
    findings.push({
      id: 'move',
      level: 'note',
      summary: 'the server takes a Destination without a host only: works, Davit finds that out by itself',
    })
  } else findings.push({ id: 'move', level: 'good', summary: 'a file can be renamed' })
  findings.push(
    facts.moveOntoFile === 'refused' && facts.copyOntoFile === 'refused'
      ? {
          id: 'overwrite',
          level: 'good',
          summary: '`Overwrite: F` is honoured: nothing is renamed over a file',
        }
      : {
          id: 'overwrite',
          level: 'note',
          summary: '`Overwrite: F` is ignored: works; Davit renames to names only that nobody else uses',
        },
    facts.copy
      ? { id: 'copy', level: 'good', summary: 'the server copies files by itself' }
      : {
          id: 'copy',
          level: 'note',
          summary:
            'the server does not copy (COPY): works; the copy of `metadata.db` for people is sent anew',
        },
  )
  return findings
}

export function judgeRename(facts: RenameFacts): Finding[] {
  const id = 'rename'
  const { rounds, movers } = facts
  if (facts.lost > 0 || facts.torn > 0) {
    return [
      {
        id,
        level: 'missing',
        summary: `not safe: in ${facts.lost + facts.torn} of ${rounds} rounds a file that ${movers} clients renamed at once was lost or damaged`,
        advice: otherServer,
      },
    ]
  }
  if (facts.several > 0 || facts.sourceLeft > 0) {
    return [
      {
        id,
        level: 'missing',
        summary: `not safe: in ${Math.max(facts.several, facts.sourceLeft)} of ${rounds} rounds one file could be renamed more than once. This server's MOVE copies and deletes: commits of two instances can fork. Davit heals forks and loses nothing, but work is done twice`,
        advice: otherServer,
      },
    ]
  }
  // Nobody could rename it even once: that is told of MOVE.
  if (facts.one === 0) return []
  const idle = facts.idle > 0 ? ` In ${facts.idle} more nobody got through; Davit tries again.` : ''
  const lies =
    facts.falseSuccess > 0
      ? ` Others were told ${facts.falseSuccess} times that they had it, too; Davit looks instead of believing.`
      : ''
  return [
    {
      id,
      level: 'good',
      summary: `safe: of ${movers} clients that renamed one file at once, exactly one had it in each of ${facts.one} rounds.${idle}${lies}`,
    },
  ]
}

export function judgeVisibility(facts: VisibilityFacts): Finding[] {
  const findings: Finding[] = []
  if (facts.stale > 0) {
    findings.push({
      id: 'visibility',
      level: 'missing',
      summary: `not safe: ${facts.stale} of ${facts.looks} looks did not show what had just been written, renamed or deleted, though caches were told not to answer`,
      advice: pastTheCache,
    })
  } else {
    findings.push({
      id: 'visibility',
      level: 'good',
      summary: `what one client has written, renamed or deleted is what the next one sees (${facts.looks} looks)`,
    })
  }
  if (facts.replacedStale > 0) {
    findings.push({
      id: 'visibility-replaced',
      level: 'note',
      summary: `${facts.replacedStale} of ${facts.replacedLooks} looks showed the old content of a replaced file: works; Davit replaces nothing that instances read`,
    })
  }
  if (facts.cacheAnswers) {
    findings.push({
      id: 'cache',
      level: facts.stale > 0 ? 'but' : 'note',
      summary:
        facts.stale > 0
          ? 'a cache stands in between, and answers when it is told not to'
          : 'a cache stands in between: works, it does not answer when it is told not to, as Davit does with each request',
      ...(facts.stale > 0 ? { advice: pastTheCache } : {}),
    })
  }
  return findings
}

/** What the facts mean that make work easier or harder. Pure. */
import {
  changesetStoredBytesMax,
  clockSkewNotedMs,
  storeNameBytesMax,
  storePathCharsMax,
} from '../../model/limits.ts'
import type { LimitFacts, NameFacts, PaceFacts, PlaceFacts, TrafficFacts, UploadFacts } from './facts.ts'
import { type Finding, otherServer, say, size } from './finding.ts'

export function judgeUploads(facts: UploadFacts): Finding[] {
  const { replacing } = facts
  const leavesPart = facts.cutNew === 'part' || facts.cutOld === 'part' || facts.cutOld === 'gone'
  return [
    leavesPart
      ? {
          id: 'cut-uploads',
          level: 'note',
          summary:
            'an upload that is cut leaves a part of the file: works; Davit sends to fresh names, never over a file, and checks what it reads',
        }
      : {
          id: 'cut-uploads',
          level: 'good',
          summary: 'an upload that is cut leaves nothing behind, and what it was to replace stays',
        },
    replacing.part + replacing.missing > 0
      ? {
          id: 'replaced-files',
          level: 'note',
          summary: `readers see parts, or nothing, while a file is replaced (${replacing.part + replacing.missing} of ${replacing.reads}): works; only the copy of \`metadata.db\` for people is replaced`,
        }
      : {
          id: 'replaced-files',
          level: 'good',
          summary: 'readers see the old file or the new one, never a part',
        },
  ]
}

export function judgeTraffic(facts: TrafficFacts): Finding[] {
  const findings: Finding[] = []
  if (facts.encodings.length > 0) {
    findings.push({
      id: 'encoding',
      level: 'missing',
      summary: `not safe: answers come encoded (${facts.encodings.join(', ')}) though they were asked for plain, and Davit takes none of these`,
      advice:
        'Switch compression off for this folder in the server or in the proxy before it (nginx: gzip off; Apache: SetEnv no-gzip 1).',
    })
  }
  if (facts.between.length > 0) {
    findings.push({
      id: 'between',
      level: 'note',
      summary: `a proxy or cache stands in between (it sends ${facts.between.join(', ')})`,
    })
  }
  if (facts.redirectedTo !== null) {
    findings.push({
      id: 'redirect',
      level: 'missing',
      summary: `not safe: writes are redirected to ${facts.redirectedTo === '' ? 'nowhere' : facts.redirectedTo}, and Davit follows no redirect with a write`,
      advice: 'Set the URL of the remote to where it leads, if that is your server.',
    })
  }
  if (facts.busy > 0) {
    const longest = Math.ceil(facts.retryAfterMaxMs / 1000)
    findings.push({
      id: 'busy',
      level: 'but',
      summary: `the server said ${facts.busy} times that it is busy${facts.busyWithRetryAfter > 0 ? `, and to come back after up to ${longest} s` : ''}: works, but slowly; Davit waits as it is told`,
      advice: 'Lower `remote.concurrency`, or raise the limit of requests on the server.',
    })
  }
  return findings
}

export function judgeLimits({ body, path }: LimitFacts): Finding[] {
  const findings: Finding[] = []
  if (body.refused === null) {
    findings.push({ id: 'body', level: 'good', summary: `files of ${size(body.accepted)} are taken` })
  } else {
    const commits =
      body.accepted < changesetStoredBytesMax
        ? ', and a commit of many changes at once may not be either'
        : ''
    findings.push({
      id: 'body',
      level: body.accepted === 0 ? 'missing' : 'but',
      summary: `${body.accepted === 0 ? 'not safe: ' : 'works, but '}files of more than about ${size(body.accepted)} are not taken (${say(body.status)})${commits}`,
      advice:
        'Raise the limit for the body of a request in the server and in every proxy before it (nginx: client_max_body_size 0; Apache: LimitRequestBody 0).',
    })
  }
  if (path.refused !== null && path.accepted < storePathCharsMax) {
    findings.push({
      id: 'path',
      level: 'missing',
      summary: `not safe: paths of more than ${path.accepted} characters are refused (${say(path.status)}), and the store needs about ${storePathCharsMax}`,
      advice: 'Use a folder with a shorter path, or another server.',
    })
  } else {
    findings.push({ id: 'path', level: 'good', summary: `paths of ${path.accepted} characters are taken` })
  }
  return findings
}

export function judgeNames(facts: NameFacts): Finding[] {
  const odd = Object.entries(facts.odd)
    .filter(([, fate]) => fate !== 'kept')
    .map(([name, fate]) => `${name} ${fate}`)
  const folded = facts.caseMatters ? [] : ['upper and lower case are one name']
  const normalised = facts.normalisationMatters ? [] : ['two spellings of one letter are one name']
  const peculiar = [...folded, ...normalised, ...odd]
  const findings: Finding[] = [
    peculiar.length === 0
      ? { id: 'names', level: 'good', summary: 'names are kept as they are' }
      : {
          id: 'names',
          level: 'note',
          summary: `some names are not kept as they are (${peculiar.join('; ')}): works; the store's own names are plain, whatever your files are called`,
        },
  ]
  if (facts.nameBytesMax < storeNameBytesMax) {
    findings.push({
      id: 'name-length',
      level: 'missing',
      summary: `not safe: names of more than ${facts.nameBytesMax} bytes are refused, and the store has some of ${storeNameBytesMax}`,
      advice: otherServer,
    })
  }
  return findings
}

export function judgePlace(facts: PlaceFacts): Finding[] {
  const findings: Finding[] = []
  const skew = facts.clockSkewMs
  if (skew === null) {
    findings.push({
      id: 'clock',
      level: 'note',
      summary: 'the server does not tell its time: works; nothing is decided by clocks',
    })
  } else if (Math.abs(skew) > clockSkewNotedMs) {
    findings.push({
      id: 'clock',
      level: 'but',
      summary: `the server's clock is ${duration(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} this machine's: works, but the times that you read of other machines will puzzle you`,
      advice: 'Set the clocks by NTP. The conflict policy `newest` trusts them.',
    })
  } else
    findings.push({ id: 'clock', level: 'good', summary: "the server's clock agrees with this machine's" })
  if (!facts.storeIsThere) {
    findings.push({
      id: 'store',
      level: 'note',
      summary: `the folder of the store is not there yet; this was measured in ${facts.measuredIn}`,
      advice: '`davit init` makes it.',
    })
  }
  return findings
}

export function judgePace(facts: PaceFacts): Finding[] {
  const up = facts.uploadRate === null ? '' : `; ${size(facts.uploadRate)}/s up`
  const down = facts.downloadRate === null ? '' : `, ${size(facts.downloadRate)}/s down`
  const summary = `"has anything changed?" takes ${ms(facts.head.median)} (95 % within ${ms(facts.head.p95)}), a commit ${ms(facts.commit.median)}${up}${down}`
  return [{ id: 'pace', level: 'note', summary }]
}

function ms(value: number): string {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`
}

function duration(value: number): string {
  const seconds = Math.round(value / 1000)
  if (seconds < 120) return `${seconds} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3_600)} hours`
}

/**
 * What each real server was measured to do, fact by fact, in the versions that Debian 12 has and in the set-ups of
 * `support/server-set-ups.ts`. `recorded-guarantees.test.ts` measures them again and fails for a row that differs:
 * then either the server has changed, or what the product may assume of it.
 */
import type { NameFate, OddName, ServerFacts, Status } from '../../src/remote/probe/facts.ts'
import type { ServerKind } from '../support/servers.ts'

/**
 * Of what depends on timing. `never`: not once in any round, and one time is a difference. `may`: it was seen, and
 * need not be seen again.
 */
export type Seen = 'never' | 'may'

export interface RecordedGuarantees {
  /** Files are kept, given back, replaced and deleted; 404 for what is not there; folders take files. */
  readonly basics: 'hold'
  readonly headLength: 'told' | 'absent'
  readonly range: 'part' | 'whole' | 'wrong'
  readonly putWithoutParent: Status
  readonly removeMissing: Status
  readonly mkcolExisting: Status
  readonly mkcolWithoutParent: Status

  readonly absoluteDestination: boolean
  readonly pathDestination: boolean
  readonly moveMissing: Status
  readonly moveWithoutParent: Status
  /** With `Overwrite: F`. */
  readonly moveOntoFile: 'refused' | 'replaced' | 'lost'
  readonly copyOntoFile: 'refused' | 'replaced'

  readonly listsItself: boolean
  readonly listsAll: boolean
  readonly marksFolders: boolean
  readonly hrefs: 'path' | 'url' | 'other'

  /** One file, many clients, each renames it to a name of its own. */
  readonly renameSeveralHolders: Seen
  readonly renameLost: Seen
  readonly renameIdle: Seen
  readonly renameTorn: Seen
  readonly renameSourceLeft: Seen
  /** A mover that had nothing was told that it had the file; the one that had it was told otherwise. */
  readonly renameFalseSuccess: Seen
  readonly renameFalseFailure: Seen
  /** All that losers were ever told; 0 stands for a connection that was closed instead. */
  readonly renameLoserStatuses: readonly number[]

  /** A finished write, rename or deletion that the next reader did not see. */
  readonly staleLooks: Seen
  readonly staleReplaced: Seen
  readonly cacheAnswers: boolean

  /** What an upload that was cut in its middle leaves. */
  readonly cutNew: 'nothing' | 'part' | 'whole'
  readonly cutOld: 'kept' | 'part' | 'gone' | 'replaced'
  /** What readers meet while a file is replaced by PUT. */
  readonly replacedShowsPart: Seen
  readonly replacedShowsNothing: Seen
  readonly replacedBreaksOff: Seen

  readonly caseMatters: boolean
  readonly normalisationMatters: boolean
  /** How long a name may be: 255 bytes, at least 240 (a temporary name is longer, by a varying number), or less. */
  readonly names: 'full' | 'nearly' | 'short'
  /** Names that are not kept as they are. */
  readonly oddNames: Readonly<Partial<Record<OddName, Exclude<NameFate, 'kept'>>>>

  readonly sendsDate: boolean
  readonly encodings: readonly string[]
}

/** What most servers do. */
const common = {
  basics: 'hold',
  headLength: 'told',
  range: 'part',
  putWithoutParent: 409,
  removeMissing: 404,
  mkcolExisting: 405,
  mkcolWithoutParent: 409,
  absoluteDestination: true,
  pathDestination: true,
  moveMissing: 404,
  moveWithoutParent: 409,
  moveOntoFile: 'refused',
  copyOntoFile: 'refused',
  listsItself: true,
  listsAll: true,
  marksFolders: true,
  hrefs: 'path',
  renameSeveralHolders: 'never',
  renameLost: 'never',
  renameIdle: 'never',
  renameTorn: 'never',
  renameSourceLeft: 'never',
  renameFalseSuccess: 'never',
  renameFalseFailure: 'never',
  renameLoserStatuses: [404],
  staleLooks: 'never',
  staleReplaced: 'never',
  cacheAnswers: false,
  cutNew: 'nothing',
  cutOld: 'kept',
  replacedShowsPart: 'never',
  replacedShowsNothing: 'never',
  replacedBreaksOff: 'never',
  caseMatters: true,
  normalisationMatters: true,
  names: 'full',
  oddNames: {},
  sendsDate: true,
  encodings: [],
} satisfies RecordedGuarantees

export const recordedGuarantees: Readonly<Record<ServerKind, RecordedGuarantees>> = {
  embedded: common,

  apache: { ...common, pathDestination: false, moveWithoutParent: 500, renameLoserStatuses: [404, 500] },

  nginx: {
    ...common,
    putWithoutParent: 500,
    // It makes the folders that are missing.
    moveWithoutParent: 204,
    renameLoserStatuses: [404, 500],
    oddNames: { leadingDot: 'hidden' },
  },

  // A temporary file with a longer name comes first.
  lighttpd: { ...common, names: 'nearly' },

  rclone: {
    ...common,
    putWithoutParent: 404,
    mkcolExisting: 201,
    moveMissing: 403,
    moveWithoutParent: 403,
    renameLoserStatuses: [403, 423],
    cutNew: 'part',
    cutOld: 'part',
    replacedShowsPart: 'may',
    replacedShowsNothing: 'may',
    replacedBreaksOff: 'may',
  },

  xnet: {
    ...common,
    putWithoutParent: 404,
    moveMissing: 403,
    moveWithoutParent: 403,
    renameLoserStatuses: [403, 423],
    cutNew: 'part',
    cutOld: 'part',
    replacedShowsPart: 'may',
    replacedBreaksOff: 'may',
  },

  // PHP's own server reads a whole body before it calls the script: cut uploads never reach sabre/dav.
  sabre: {
    ...common,
    putWithoutParent: 404,
    renameFalseSuccess: 'may',
    replacedShowsPart: 'may',
    replacedBreaksOff: 'may',
  },

  phodav: {
    ...common,
    pathDestination: false,
    putWithoutParent: 500,
    moveMissing: 409,
    marksFolders: false,
    hrefs: 'url',
    renameFalseFailure: 'may',
    renameLoserStatuses: [0, 409],
    cutNew: 'part',
    cutOld: 'part',
    replacedBreaksOff: 'may',
    // Its URLs are escaped once too little.
    oddNames: { percent: 'hidden', hash: 'hidden' },
  },
}

/** Every fact that is not as the row says, as a sentence. Facts that could not be measured differ, too. */
export function differences(row: RecordedGuarantees, facts: ServerFacts): string[] {
  const measured = measuredGuarantees(facts)
  return (Object.keys(row) as (keyof RecordedGuarantees)[]).flatMap((name) => {
    const [recorded, found] = [row[name], measured[name]]
    const agrees =
      name === 'renameLoserStatuses'
        ? (found as readonly number[]).every((status) => row.renameLoserStatuses.includes(status))
        : recorded === 'may' || JSON.stringify(recorded) === JSON.stringify(found)
    return agrees ? [] : [`${name}: recorded ${JSON.stringify(recorded)}, measured ${JSON.stringify(found)}`]
  })
}

/** The same facts, as measured. Throws for what is missing. */
export function measuredGuarantees(
  facts: ServerFacts,
): Record<keyof RecordedGuarantees, unknown> & Pick<RecordedGuarantees, 'renameLoserStatuses'> {
  const { basics, moves, listing, rename, visibility, uploads, names, place, traffic } = facts
  if (!basics || !moves || !listing || !rename || !visibility || !uploads || !names)
    throw new Error(`not everything could be measured: ${JSON.stringify(facts.failures)}`)
  const seen = (count: number): Seen => (count > 0 ? 'may' : 'never')
  const basicsHold =
    basics.put &&
    basics.putEmpty &&
    basics.replace &&
    basics.remove &&
    basics.mkcol &&
    basics.getMissing === 404 &&
    basics.headMissing === 404 &&
    moves.move &&
    moves.copy &&
    listing.status === 207 &&
    listing.readable &&
    !listing.tooDeep &&
    listing.missing === 404
  return {
    basics: basicsHold ? 'hold' : { basics, moves, listing },
    headLength: basics.headLength,
    range: basics.range,
    putWithoutParent: basics.putWithoutParent,
    removeMissing: basics.removeMissing,
    mkcolExisting: basics.mkcolExisting,
    mkcolWithoutParent: basics.mkcolWithoutParent,
    absoluteDestination: moves.absoluteDestination,
    pathDestination: moves.pathDestination,
    moveMissing: moves.moveMissing,
    moveWithoutParent: moves.moveWithoutParent,
    moveOntoFile: moves.moveOntoFile,
    copyOntoFile: moves.copyOntoFile,
    listsItself: listing.listsItself,
    listsAll: listing.listsAll,
    marksFolders: listing.marksFolders,
    hrefs: listing.hrefs,
    renameSeveralHolders: seen(rename.several),
    renameLost: seen(rename.lost),
    renameIdle: seen(rename.idle),
    renameTorn: seen(rename.torn),
    renameSourceLeft: seen(rename.sourceLeft),
    renameFalseSuccess: seen(rename.falseSuccess),
    renameFalseFailure: seen(rename.falseFailure),
    renameLoserStatuses: rename.loserStatuses,
    staleLooks: seen(visibility.stale),
    staleReplaced: seen(visibility.replacedStale),
    cacheAnswers: visibility.cacheAnswers,
    cutNew: uploads.cutNew,
    cutOld: uploads.cutOld,
    replacedShowsPart: seen(uploads.replacing.part),
    replacedShowsNothing: seen(uploads.replacing.missing),
    replacedBreaksOff: seen(uploads.replacing.failed),
    caseMatters: names.caseMatters,
    normalisationMatters: names.normalisationMatters,
    names: names.nameBytesMax === 255 ? 'full' : names.nameBytesMax >= 240 ? 'nearly' : 'short',
    oddNames: Object.fromEntries(Object.entries(names.odd).filter(([, fate]) => fate !== 'kept')),
    sendsDate: place.clockSkewMs !== null,
    encodings: traffic.encodings,
  }
}

/**
 * What differs between WebDAV servers, as data: one row for each server that was measured, and a few that nobody runs.
 * Where measurements of one server disagree the worst one stands here, so a real server may be better than its row and
 * never worse. What no row mentions is alike everywhere.
 */

export interface ServerProfile {
  readonly name: string
  readonly put: {
    /** `If-None-Match: *` and `If-Match`, on DELETE too: held at the effect, tested before the body only, not looked at. */
    readonly conditions: 'atomic' | 'racy' | 'ignored'
    /** What a reader meets while a new name is written. `blocked`: no answer until the upload has ended. */
    readonly newName: 'hidden' | 'partial' | 'blocked'
    /** And while a name that is there is written anew. */
    readonly existing: 'old' | 'partial'
    /** What an upload leaves that was cut. `kept`: the torso, in the place of whatever was there. */
    readonly cut: 'dropped' | 'kept'
    /** The status for a missing parent folder. `made`: there are no real folders, every parent exists. */
    readonly missingParent: number | 'made'
    readonly onCollection: number
    readonly created: number
    readonly replaced: number
    /** Whether the answer has an ETag. */
    readonly tellsEtag: boolean
    /** The temporary name shows in listings while a file is replaced. */
    readonly listsTemporary: boolean
  }
  readonly mkcol: {
    /** For a folder that is there: 405, or 201 by which nobody can tell. */
    readonly existing: number
    readonly onFile: { readonly withSlash: number; readonly withoutSlash: number }
    readonly missingParent: number | 'made'
    readonly withoutSlash: number
    /** Whether one of several at once is told 201. */
    readonly isExclusive: boolean
    /** What those are told who find the folder made between their test and their effect. */
    readonly losers: readonly number[]
  }
  readonly move: {
    /** `copy`: the target appears, time passes, the source goes; a crash in between leaves both. */
    readonly how: 'rename' | 'copy'
    readonly acrossFolders: 'rename' | 'copy'
    /** Pauses between the copy and the deletion of its source. */
    readonly copySteps: number
    /** `Overwrite: F`: held at the effect, or tested first and renamed later. */
    readonly overwriteF: 'atomic' | 'racy'
    /** `gap`: what is replaced goes before the new name is there. */
    readonly replacing: 'atomic' | 'gap'
    readonly existing: number
    readonly missingSource: number
    readonly missingParent: number | 'made'
    readonly created: number
    readonly replaced: number
    /** What those are told whose source was renamed between their test and their effect. 201: a lie. */
    readonly losers: readonly number[]
    /** MOVE and COPY onto something: every second connection is cut instead of an answer. */
    readonly cutsWhenReplacing: boolean
  }
  /** `null`: refused with 501. */
  readonly copy: {
    /** `Overwrite: F` onto a file. `ignored`: it is overwritten. */
    readonly existing: number | 'ignored'
    readonly missingSource: number
    readonly missingParent: number | 'made'
    readonly created: number
    readonly replaced: number
  } | null
  readonly delete: {
    readonly done: number
    /** `cut`: the connection is closed without an answer. */
    readonly missing: number | 'cut'
    readonly collectionWithoutSlash: number
    readonly losers: readonly number[]
  }
  readonly get: {
    readonly onCollection: number
    readonly ranges: boolean
    readonly beyondEnd: number
    /** Whether HEAD has a Content-Length. */
    readonly headLength: boolean
    readonly lastModified: boolean
    /** `seconds`: the same for two writes of one size in a second. `weak-first`: weak for 2 s, then strong. */
    readonly etag: 'none' | 'strong' | 'seconds' | 'weak-first'
  }
  readonly listing: {
    /** `internal`: absolute, with the host by which the server knows itself behind its proxy. */
    readonly href: 'path' | 'absolute' | 'internal'
    /** Escaped more than needed: `%2D` for a hyphen. */
    readonly escapesAll: boolean
    /** When a folder lists itself with Depth 1. */
    readonly own: 'always' | 'when-empty' | 'never'
    readonly hidesDotNames: boolean
    /** Whether the names of folders end in a slash. */
    readonly marksFolders: boolean
    readonly prefix: 'D' | 'd' | ''
  }
  /** Whether a form of Destination is taken, or the status with which it is refused. */
  readonly destination: { readonly absolute: 'taken' | number; readonly path: 'taken' | number }
  /** Each write locks its names while it lasts; others are told 423. */
  readonly locksWhileWriting: boolean
  readonly date: boolean
  /** The longest name in bytes; PUT of a longer one is answered with 500. */
  readonly nameBytesMax: number
  readonly bodyBytesMax: number | null
  /** Milliseconds between a test and its effect, at most, where the two are not one. */
  readonly workMs: number
}

/** Does everything as the standard would like it, and what it leaves open in the way that serves best. */
const ideal: ServerProfile = {
  name: 'ideal',
  put: {
    conditions: 'atomic',
    newName: 'hidden',
    existing: 'old',
    cut: 'dropped',
    missingParent: 409,
    onCollection: 405,
    created: 201,
    replaced: 204,
    tellsEtag: true,
    listsTemporary: false,
  },
  mkcol: {
    existing: 405,
    onFile: { withSlash: 405, withoutSlash: 405 },
    missingParent: 409,
    withoutSlash: 201,
    isExclusive: true,
    losers: [405],
  },
  move: {
    how: 'rename',
    acrossFolders: 'rename',
    copySteps: 0,
    overwriteF: 'atomic',
    replacing: 'atomic',
    existing: 412,
    missingSource: 404,
    missingParent: 409,
    created: 201,
    replaced: 204,
    losers: [404],
    cutsWhenReplacing: false,
  },
  copy: { existing: 412, missingSource: 404, missingParent: 409, created: 201, replaced: 204 },
  delete: { done: 204, missing: 404, collectionWithoutSlash: 204, losers: [404] },
  get: {
    onCollection: 405,
    ranges: true,
    beyondEnd: 416,
    headLength: true,
    lastModified: true,
    etag: 'strong',
  },
  listing: {
    href: 'path',
    escapesAll: false,
    own: 'always',
    hidesDotNames: false,
    marksFolders: true,
    prefix: 'D',
  },
  destination: { absolute: 'taken', path: 'taken' },
  locksWhileWriting: false,
  date: true,
  nameBytesMax: 255,
  bodyBytesMax: null,
  workMs: 0,
}

/** Apache 2.4.71, mod_dav_fs: tests first, acts later; MOVE onto a file shows a 404. */
const apache: ServerProfile = {
  ...ideal,
  name: 'apache',
  put: { ...ideal.put, conditions: 'racy', onCollection: 409, tellsEtag: false },
  mkcol: { ...ideal.mkcol, onFile: { withSlash: 400, withoutSlash: 405 }, losers: [405, 403] },
  move: { ...ideal.move, overwriteF: 'racy', replacing: 'gap', missingParent: 500, losers: [404, 500] },
  get: { ...ideal.get, onCollection: 404, etag: 'weak-first' },
  destination: { absolute: 'taken', path: 400 },
  workMs: 4,
}

/** nginx 1.22.1 with dav-ext: ignores conditions, wants slashes, makes parents on MOVE, hides names with a dot. */
const nginx: ServerProfile = {
  ...ideal,
  name: 'nginx',
  put: { ...ideal.put, conditions: 'ignored', missingParent: 500, onCollection: 409, tellsEtag: false },
  mkcol: { ...ideal.mkcol, onFile: { withSlash: 405, withoutSlash: 409 }, withoutSlash: 409 },
  // One winner in 200 of 200 rounds of 16, two in 2 of 60 rounds of 6.
  move: { ...ideal.move, overwriteF: 'racy', created: 204, missingParent: 'made', losers: [404, 500] },
  copy: { existing: 412, missingSource: 404, missingParent: 412, created: 204, replaced: 204 },
  delete: { ...ideal.delete, collectionWithoutSlash: 409 },
  get: { ...ideal.get, onCollection: 200, etag: 'seconds' },
  listing: { ...ideal.listing, hidesDotNames: true },
  workMs: 1,
}

/** lighttpd 1.4.69, mod_webdav: the only one whose conditions hold in a race. */
const lighttpd: ServerProfile = {
  ...ideal,
  name: 'lighttpd',
  get: { ...ideal.get, onCollection: 403 },
  nameBytesMax: 254,
}

/** rclone 1.60.1, `serve webdav`: every MKCOL is 201, a cut upload stays, a busy name is 423. */
const rclone: ServerProfile = {
  ...ideal,
  name: 'rclone',
  put: {
    ...ideal.put,
    conditions: 'ignored',
    newName: 'blocked',
    // A slow upload shows the old content; quick ones show readers mixtures and cut answers.
    existing: 'partial',
    cut: 'kept',
    missingParent: 404,
    onCollection: 404,
    replaced: 201,
  },
  mkcol: { ...ideal.mkcol, existing: 201, isExclusive: false, losers: [423] },
  move: { ...ideal.move, replacing: 'gap', missingSource: 403, missingParent: 403, losers: [403, 423] },
  delete: { ...ideal.delete, losers: [423, 404] },
  get: { ...ideal.get, onCollection: 200 },
  locksWhileWriting: true,
  workMs: 3,
}

/** Go's x/net/webdav 0.7 over a folder: many small servers are this. */
const xnet: ServerProfile = {
  ...rclone,
  name: 'xnet',
  put: { ...rclone.put, newName: 'partial' },
  mkcol: { ...ideal.mkcol, losers: [405, 423] },
  get: { ...ideal.get, onCollection: 405 },
}

/** sabre/dav's own folder backend, nothing buffered before it: writes in place, copies between folders, lies to losers. */
const sabre: ServerProfile = {
  ...ideal,
  name: 'sabre',
  put: {
    ...ideal.put,
    conditions: 'racy',
    newName: 'partial',
    existing: 'partial',
    cut: 'kept',
    missingParent: 404,
    onCollection: 409,
  },
  mkcol: { ...ideal.mkcol, isExclusive: false },
  move: {
    ...ideal.move,
    acrossFolders: 'copy',
    copySteps: 1,
    overwriteF: 'racy',
    replacing: 'gap',
    // In 21 of 200 rounds a second mover was told 201; its name was not there.
    losers: [404, 201],
  },
  delete: { ...ideal.delete, losers: [404, 500] },
  get: { ...ideal.get, onCollection: 501, etag: 'seconds' },
  listing: { ...ideal.listing, prefix: 'd' },
  workMs: 10,
}

/** WsgiDAV 4.3.5. */
const wsgidav: ServerProfile = {
  ...ideal,
  name: 'wsgidav',
  put: { ...ideal.put, conditions: 'racy', newName: 'partial', existing: 'partial', cut: 'kept' },
  mkcol: { ...ideal.mkcol, losers: [405, 500] },
  move: { ...ideal.move, overwriteF: 'racy', replacing: 'gap', losers: [404, 500] },
  delete: { ...ideal.delete, losers: [404, 500] },
  get: { ...ideal.get, onCollection: 200, etag: 'seconds' },
  workMs: 6,
}

/** The npm package webdav-server 2.6.3 by itself. */
const npm: ServerProfile = {
  ...ideal,
  name: 'npm',
  put: {
    ...ideal.put,
    conditions: 'ignored',
    newName: 'partial',
    existing: 'partial',
    cut: 'kept',
    replaced: 200,
    tellsEtag: false,
  },
  move: {
    ...ideal.move,
    overwriteF: 'racy',
    replacing: 'gap',
    missingSource: 500,
    missingParent: 500,
    losers: [500],
  },
  copy: { existing: 'ignored', missingSource: 404, missingParent: 409, created: 201, replaced: 201 },
  delete: { done: 200, missing: 404, collectionWithoutSlash: 200, losers: [500, 404] },
  get: { ...ideal.get, beyondEnd: 206, lastModified: false, etag: 'none' },
  listing: { ...ideal.listing, href: 'absolute' },
  workMs: 8,
}

/** nephele 1.0.0-alpha.67: 207 where others say 412 or 409, and no length in HEAD. */
const nephele: ServerProfile = {
  ...ideal,
  name: 'nephele',
  put: {
    ...ideal.put,
    conditions: 'racy',
    newName: 'partial',
    existing: 'partial',
    cut: 'kept',
    tellsEtag: false,
  },
  mkcol: { ...ideal.mkcol, losers: [500, 405] },
  move: { ...ideal.move, overwriteF: 'racy', existing: 207, missingParent: 207, losers: [207] },
  copy: { existing: 207, missingSource: 404, missingParent: 207, created: 201, replaced: 204 },
  delete: { ...ideal.delete, losers: [500, 403, 404] },
  get: { ...ideal.get, onCollection: 204, headLength: false },
  listing: { ...ideal.listing, href: 'absolute' },
  nameBytesMax: 254,
  workMs: 15,
}

/** phodav (chezdav 3.0): cuts connections, 409 for what is missing, and takes no Destination without a host. */
const phodav: ServerProfile = {
  ...ideal,
  name: 'phodav',
  put: {
    ...ideal.put,
    conditions: 'ignored',
    newName: 'partial',
    cut: 'kept',
    missingParent: 500,
    onCollection: 500,
    replaced: 200,
    tellsEtag: false,
    listsTemporary: true,
  },
  move: {
    ...ideal.move,
    missingSource: 409,
    losers: [409],
    cutsWhenReplacing: true,
  },
  copy: { existing: 412, missingSource: 409, missingParent: 409, created: 201, replaced: 204 },
  delete: { ...ideal.delete, missing: 'cut' },
  get: { ...ideal.get, onCollection: 200, lastModified: false, etag: 'seconds' },
  listing: { ...ideal.listing, href: 'absolute', marksFolders: false },
  destination: { absolute: 'taken', path: 404 },
  workMs: 2,
}

/** The server that comes with the product. */
const embedded: ServerProfile = { ...ideal, name: 'embedded' }

/**
 * In front of object storage: folders are pretence, nothing that is missing is an error, and MOVE copies, waits and
 * deletes. Commits can fork on it; that is found and healed.
 */
const gateway: ServerProfile = {
  ...ideal,
  name: 'gateway',
  put: { ...ideal.put, conditions: 'ignored', missingParent: 'made', created: 200, replaced: 200 },
  mkcol: { ...ideal.mkcol, existing: 201, missingParent: 'made', isExclusive: false },
  move: {
    ...ideal.move,
    how: 'copy',
    acrossFolders: 'copy',
    copySteps: 2,
    overwriteF: 'racy',
    missingParent: 'made',
    losers: [201],
  },
  copy: { existing: 412, missingSource: 404, missingParent: 'made', created: 201, replaced: 204 },
  delete: { done: 204, missing: 204, collectionWithoutSlash: 204, losers: [204] },
  get: { ...ideal.get, onCollection: 404 },
  workMs: 400,
}

/** Every bad habit that was seen anywhere, at once, but for a MOVE that copies. */
const careless: ServerProfile = {
  ...ideal,
  name: 'careless',
  put: {
    conditions: 'ignored',
    newName: 'partial',
    existing: 'partial',
    cut: 'kept',
    missingParent: 403,
    onCollection: 500,
    created: 200,
    replaced: 200,
    tellsEtag: false,
    listsTemporary: true,
  },
  mkcol: { ...ideal.mkcol, existing: 201, missingParent: 403, isExclusive: false, losers: [500] },
  move: {
    ...ideal.move,
    overwriteF: 'racy',
    replacing: 'gap',
    missingSource: 201,
    missingParent: 500,
    created: 200,
    replaced: 200,
    losers: [200, 500],
    cutsWhenReplacing: true,
  },
  copy: null,
  delete: { done: 200, missing: 'cut', collectionWithoutSlash: 409, losers: [500] },
  get: {
    onCollection: 200,
    ranges: false,
    beyondEnd: 200,
    headLength: false,
    lastModified: false,
    etag: 'none',
  },
  listing: {
    href: 'internal',
    escapesAll: true,
    own: 'when-empty',
    hidesDotNames: true,
    marksFolders: false,
    prefix: '',
  },
  destination: { absolute: 502, path: 'taken' },
  locksWhileWriting: true,
  date: false,
  nameBytesMax: 200,
  bodyBytesMax: null,
  workMs: 50,
}

export const profiles = {
  ideal,
  apache,
  nginx,
  lighttpd,
  rclone,
  xnet,
  sabre,
  wsgidav,
  npm,
  nephele,
  phodav,
  embedded,
  gateway,
  careless,
} as const satisfies Readonly<Record<string, ServerProfile>>

export type ProfileName = keyof typeof profiles

export const profileNames = Object.keys(profiles) as ProfileName[]

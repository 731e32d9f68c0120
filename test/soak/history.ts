/**
 * What people and programs did during a soak, with what they know of it: the contents they wrote, the names they gave
 * and took. The oracle decides on this and on what is found in the end.
 */
import type { ContentHash, FilePath } from '../../src/model/file-state.ts'

/** Stands for whoever resolves conflicts through the API: everybody and nobody. */
export const resolver = '*'

/** What stands at a path after a gesture; `null`: nothing. */
export interface Result {
  readonly path: FilePath
  readonly hash: ContentHash | null
}

export interface Gesture {
  readonly number: number
  /** Since the soak began. */
  readonly atMs: number
  /** Whose workspace it was made in, or `resolver`. */
  readonly instance: string
  readonly what: string
  /** In the order in which they came about. */
  readonly results: readonly Result[]
  /** Contents that the gesture itself took away, with the path where each stood. */
  readonly destroyed: readonly { readonly path: FilePath; readonly hash: ContentHash }[]
  /** Paths where the gesture may bring about anything: nobody can say yet what. */
  readonly touches?: readonly FilePath[]
  /** Paths between which a file may have moved, in the eyes of an engine: what happens to one may show at the other. */
  readonly links: readonly (readonly [FilePath, FilePath])[]
}

/** A content that somebody put somewhere, and what is owed to it. */
export interface Write {
  readonly hash: ContentHash
  readonly instance: string
  /** The gesture that put it where it is, as far as its own user moved it. */
  gesture: number
  path: FilePath
  /** The instance said that everything up to it was replicated: it has to stay, whatever comes. */
  acknowledged: boolean
  /** Its own user replaced or deleted it before that. */
  excused: boolean
}

export type GestureDraft = Omit<Gesture, 'number' | 'atMs'>

export class History {
  readonly gestures: Gesture[] = []
  private readonly writes = new Map<ContentHash, Write[]>()
  /** Every content that somebody may have meant, also those that a merge was known to bring. */
  readonly known = new Set<ContentHash>()
  private readonly now: () => number
  private readonly note: (gesture: Gesture) => void

  /** `now`: milliseconds since the soak began. `note` is called with each gesture. */
  constructor(now: () => number, note: (gesture: Gesture) => void = () => {}) {
    this.now = now
    this.note = note
  }

  get last(): number {
    return this.gestures.length
  }

  add(draft: GestureDraft): Gesture {
    const gesture: Gesture = { ...draft, number: this.gestures.length + 1, atMs: this.now() }
    this.gestures.push(gesture)
    const { instance } = gesture
    for (const { path, hash } of gesture.destroyed) this.excuse(instance, hash, path)
    const stands = new Map(gesture.results.map(({ path, hash }) => [path, hash]))
    for (const [path, hash] of stands) {
      if (hash === null) continue
      this.known.add(hash)
      const from = gesture.links.find(([, to]) => to === path)?.[0]
      const hasLeft = from !== undefined && stands.has(from) && stands.get(from) !== hash
      const moved = hasLeft ? this.find(instance, hash, from) : undefined
      if (moved !== undefined) Object.assign(moved, { path, gesture: gesture.number })
      else
        this.remember({ hash, instance, gesture: gesture.number, path, acknowledged: false, excused: false })
    }
    this.note(gesture)
    return gesture
  }

  /** The instance said after that gesture that it is in sync: what stood there by then is replicated. */
  acknowledge(instance: string, upToGesture: number, isReplicated: (path: FilePath) => boolean): void {
    for (const writes of this.writes.values())
      for (const write of writes)
        if (
          write.instance === instance &&
          write.gesture <= upToGesture &&
          !write.excused &&
          isReplicated(write.path)
        )
          write.acknowledged = true
  }

  /** Contents that must be somewhere, each with one write of it. */
  owed(): Write[] {
    return [...this.writes.values()].flatMap((writes) => {
      const write = writes.find(({ acknowledged }) => acknowledged) ?? writes.find(({ excused }) => !excused)
      return write === undefined ? [] : [write]
    })
  }

  /** Gestures that touched the path, something below it, or a path that the file may have come from; oldest first. */
  about(path: FilePath): Gesture[] {
    const paths = new Set([path])
    const concerns = (other: FilePath) => paths.has(other) || other.startsWith(`${path}/`)
    const found: Gesture[] = []
    for (const gesture of this.gestures.toReversed()) {
      const { results, destroyed, touches = [], links } = gesture
      if (![...results, ...destroyed].some((each) => concerns(each.path)) && !touches.some(concerns)) continue
      found.push(gesture)
      for (const [from, to] of links) if (concerns(from) || concerns(to)) paths.add(from).add(to)
    }
    return found.toReversed()
  }

  private find(instance: string, hash: ContentHash, path: FilePath): Write | undefined {
    const own = this.writes.get(hash)?.filter((write) => write.instance === instance && !write.excused)
    return own?.find((write) => write.path === path)
  }

  private excuse(instance: string, hash: ContentHash, path: FilePath): void {
    const own = this.writes.get(hash)?.filter((write) => write.instance === instance && !write.excused) ?? []
    // A rename that came from elsewhere may have moved it: then any copy of this user's counts as the one.
    const gone = own.find((write) => write.path === path) ?? own[0]
    if (gone !== undefined && !gone.acknowledged) gone.excused = true
  }

  private remember(write: Write): void {
    const writes = this.writes.get(write.hash)
    if (writes === undefined) this.writes.set(write.hash, [write])
    else writes.push(write)
  }
}

/**
 * The model beside the system: what people made, out of what they saw, and what they gave up knowingly. It knows
 * nothing of how Davit works, and decides by itself what has to be found again in the end.
 */
import { hashOfText, type Mark, marksOf } from './contents.ts'

export interface WrittenText {
  readonly text: string
  readonly hash: string
  /** Who put these very bytes on a disk. */
  readonly writers: Set<string>
  /** Whose user took them off that instance's disk again, so that Davit may never have seen them there. */
  readonly takenOff: Set<string>
  /** How often, over all instances and paths, a user put them somewhere. */
  puts: number
  /** Whether a person chose this text when a conflict was resolved, or brought it back. */
  chosen: boolean
  /** Some user gave the file with this text another name, or put it into the place of another one. */
  moved: boolean
  /** Stood in a folder that could not be read for a while: nobody can tell from outside what is in it. */
  hidden: boolean
  /** What was there when it was written first. */
  base: WrittenText | null
  /** Deletions and overwritings of exactly this text. */
  readonly givenUp: {
    readonly by: string
    readonly how: 'deleted' | 'edited'
    readonly path: string
    /** What was saved in its place. */
    readonly text: string | null
    /** Davit had not come to write down that it stood there: it cannot tell that it was taken away. */
    readonly isUnseen: boolean
  }[]
}

export class History {
  readonly texts = new Map<string, WrittenText>()
  private readonly byHash = new Map<string, WrittenText>()
  /** Each mark ever written, with the instances where it was typed. */
  readonly marks = new Map<Mark, Set<string>>()
  /** Marks that somebody who saw them removed, or lost in a decision of a person. */
  readonly droppedMarks = new Set<Mark>()
  /** By instance: texts that came to be without the file's time telling so. */
  private readonly backdated = new Map<string, Set<string>>()
  private marksGiven = 0
  /** By instance and path. */
  private readonly leftAt = new Map<string, WrittenText[]>()
  private readonly readStore: (hash: string) => string | null

  constructor(readStore: (hash: string) => string | null) {
    this.readStore = readStore
  }

  newMark(instance: string): Mark {
    this.marksGiven += 1
    // Of one length, so that most edits leave the size as it is.
    return `w${String(this.marksGiven).padStart(4, '0')}-${instance}`
  }

  /** A user of `instance` saved `text` where `base` stood (`null`: nothing). */
  wrote(instance: string, path: string, text: string, base: string | null, isUnseen = false): void {
    const entry = this.entryOf(text)
    entry.writers.add(instance)
    entry.takenOff.delete(instance)
    entry.puts += 1
    // What Davit had not come to write down is no base to it.
    if (entry.puts === 1 && base !== null && !isUnseen) entry.base = this.entryOf(base)
    const kept = marksOf(text)
    for (const mark of kept) this.typed(mark, instance)
    // What stood there before goes on elsewhere as another file, as after an editor's own backup.
    if (base === null) for (const left of this.leftAt.get(`${instance} ${path}`) ?? []) left.puts += 1
    if (base === null || base === text) return
    this.tookOff({ by: instance, path, text, isUnseen, how: 'edited' }, base)
    for (const mark of marksOf(base)) if (!kept.has(mark)) this.droppedMarks.add(mark)
  }

  /** The folder in which a file of that text stands cannot be read. */
  hid(text: string): void {
    this.entryOf(text).hidden = true
  }

  /** The file with this text was given the time back that it had before the text came into it. */
  setBack(instance: string, text: string): void {
    this.backdated.set(instance, (this.backdated.get(instance) ?? new Set()).add(text))
  }

  wasSetBack(instance: string, text: string): boolean {
    return this.backdated.get(instance)?.has(text) ?? false
  }

  /** With `from`: a file of that text left this path of the instance. */
  moved(text: string, from?: { readonly instance: string; readonly path: string }): void {
    const entry = this.entryOf(text)
    entry.moved = true
    if (from === undefined) return
    const key = `${from.instance} ${from.path}`
    this.leftAt.set(key, [...(this.leftAt.get(key) ?? []), entry])
  }

  /** It was put into the place of another file: what becomes of where it stood says nothing of it any more. */
  movedOver(text: string): void {
    this.entryOf(text).puts += 1
  }

  removed(instance: string, path: string, text: string, isUnseen = false): void {
    this.tookOff({ by: instance, path, text: null, isUnseen, how: 'deleted' }, text)
    for (const mark of marksOf(text)) this.droppedMarks.add(mark)
  }

  /** A person decided a conflict: `kept` stays, and what else was in `sides` is given up. */
  decided(kept: readonly string[], sides: readonly string[]): void {
    const staying = new Set(kept.flatMap((text) => [...marksOf(text)]))
    for (const text of kept) this.entryOf(text).chosen = true
    for (const side of sides) {
      for (const mark of marksOf(side)) if (!staying.has(mark)) this.droppedMarks.add(mark)
    }
  }

  /** A text that came to be by the decision of a person, on no disk yet. */
  composed(instance: string, text: string): void {
    const entry = this.entryOf(text)
    entry.chosen = true
    for (const mark of marksOf(text)) this.typed(mark, instance)
  }

  /** Whether somebody wrote it, or it is in the store. */
  isKnown(text: string): boolean {
    const hash = hashOfText(text)
    return (this.byHash.get(hash)?.writers.size ?? 0) > 0 || this.readStore(hash) !== null
  }

  /** Also of a text that nobody wrote, such as a merge, once it is in the store. */
  textOf(hash: string): string | null {
    return this.byHash.get(hash)?.text ?? this.readStore(hash)
  }

  /** Whether one was made out of the other, edit by edit, each of which was made once. */
  descends(hash: string, from: string): boolean {
    const met = new Set<WrittenText>()
    let entry = this.byHash.get(hash)
    while (entry !== undefined && entry.puts === 1 && !entry.moved && !met.has(entry)) {
      met.add(entry)
      const { base } = entry
      if (base === null || base.puts !== 1 || base.moved) return false
      if (base.hash === from) return true
      entry = base
    }
    return false
  }

  private typed(mark: Mark, instance: string): void {
    const by = this.marks.get(mark)
    if (by === undefined) this.marks.set(mark, new Set([instance]))
    else by.add(instance)
  }

  private tookOff(act: WrittenText['givenUp'][number], old: string): void {
    const entry = this.entryOf(old)
    entry.takenOff.add(act.by)
    entry.givenUp.push(act)
  }

  private entryOf(text: string): WrittenText {
    const found = this.texts.get(text)
    if (found !== undefined) return found
    const entry: WrittenText = {
      text,
      hash: hashOfText(text),
      writers: new Set(),
      takenOff: new Set(),
      puts: 0,
      base: null,
      chosen: false,
      moved: false,
      hidden: false,
      givenUp: [],
    }
    this.texts.set(text, entry)
    this.byHash.set(entry.hash, entry)
    return entry
  }
}

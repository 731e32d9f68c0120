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
  /** Deletions and overwritings of exactly this text. */
  readonly givenUp: {
    readonly by: string
    readonly how: 'deleted' | 'edited'
    readonly path: string
    /** What was saved in its place. */
    readonly text: string | null
  }[]
}

export class History {
  readonly texts = new Map<string, WrittenText>()
  private readonly byHash = new Map<string, WrittenText>()
  /** Each mark ever written, with the instances where it was typed. */
  readonly marks = new Map<Mark, Set<string>>()
  /** Marks that somebody who saw them removed, or lost in a decision of a person. */
  readonly droppedMarks = new Set<Mark>()
  private marksGiven = 0

  newMark(instance: string): Mark {
    this.marksGiven += 1
    return `w${this.marksGiven}-${instance}`
  }

  /** A user of `instance` saved `text` where `base` stood (`null`: nothing). */
  wrote(instance: string, path: string, text: string, base: string | null): void {
    const entry = this.entryOf(text)
    entry.writers.add(instance)
    entry.takenOff.delete(instance)
    entry.puts += 1
    const kept = marksOf(text)
    for (const mark of kept) this.typed(mark, instance)
    if (base === null || base === text) return
    this.tookOff(instance, path, base, text)
    for (const mark of marksOf(base)) if (!kept.has(mark)) this.droppedMarks.add(mark)
  }

  moved(text: string): void {
    this.entryOf(text).moved = true
  }

  removed(instance: string, path: string, text: string): void {
    this.tookOff(instance, path, text, null)
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

  textOf(hash: string): string | null {
    return this.byHash.get(hash)?.text ?? null
  }

  private typed(mark: Mark, instance: string): void {
    const by = this.marks.get(mark)
    if (by === undefined) this.marks.set(mark, new Set([instance]))
    else by.add(instance)
  }

  private tookOff(instance: string, path: string, old: string, text: string | null): void {
    const entry = this.entryOf(old)
    entry.takenOff.add(instance)
    entry.givenUp.push({ by: instance, how: text === null ? 'deleted' : 'edited', path, text })
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
      chosen: false,
      moved: false,
      givenUp: [],
    }
    this.texts.set(text, entry)
    this.byHash.set(entry.hash, entry)
    return entry
  }
}

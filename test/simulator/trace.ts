/** What happened, in order: a digest of all of it, and, when asked for, the lines themselves. */
import { createHash } from 'node:crypto'

export class Trace {
  readonly lines: string[] = []
  private readonly hash = createHash('sha256')
  private buffered = ''
  private readonly keep: boolean
  private readonly now: () => number

  constructor(options: { readonly keep: boolean; readonly now: () => number }) {
    this.keep = options.keep
    this.now = options.now
  }

  note(who: string, what: string): void {
    const line = `${this.now().toFixed(1).padStart(9)}  ${who.padEnd(6)} ${what}`
    if (this.keep) this.lines.push(line)
    this.buffered += line
    if (this.buffered.length > 16_384) this.flush()
  }

  digest(): string {
    this.flush()
    return this.hash.copy().digest('hex')
  }

  private flush(): void {
    this.hash.update(this.buffered)
    this.buffered = ''
  }
}

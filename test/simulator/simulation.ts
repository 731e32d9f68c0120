/**
 * One seed from its plan to the verdict: *chaos*, in which people, programs, machines and the server do what the plan
 * says, and *healing*, in which everything works again and all has to come to rest, with nothing lost.
 */
import { verify } from '../../src/instance/verify.ts'
import { emptyStorePoint } from '../../src/model/changeset.ts'
import { isDavitError } from '../../src/model/errors.ts'
import { lockLeaseMs } from '../../src/model/limits.ts'
import { headContent, headName, lockFolder } from '../../src/remote/layout.ts'
import { type Chance, createChance } from './chance.ts'
import { hashOfText } from './contents.ts'
import { gestures, resolveAny, type Scene, slipIn } from './gestures.ts'
import { History } from './history.ts'
import { rootPath, SimulatedInstance } from './instance.ts'
import { Killed } from './killable.ts'
import { Broken, checkAtRest, type Harm, Ledger, type Violation } from './oracle.ts'
import { Person, workspaceOf } from './person.ts'
import { gestureKinds, instanceNames, type Plan, type PlannedEvent } from './plan.ts'
import { profiles } from './profiles.ts'
import { createSimulatedServer, type Effect, type SimulatedServer, type StoreSnapshot } from './server.ts'
import { Trace } from './trace.ts'
import { createWorld, Stalled, type World } from './world.ts'

/** Entries of the queue that a healthy seed never needs. */
const stepsMax = 400_000
const roundsMax = 25

export interface Result {
  readonly violation: Violation | null
  readonly digest: string
  readonly lines: readonly string[]
  /** How often what happened. */
  readonly counts: ReadonlyMap<string, number>
  readonly steps: number
  readonly virtualMs: number
}

export async function simulate(plan: Plan, options: { readonly keepTrace: boolean }): Promise<Result> {
  const simulation = new Simulation(plan, options.keepTrace)
  try {
    await simulation.run()
    return simulation.result(null)
  } catch (error) {
    return simulation.result(violationOf(error))
  } finally {
    simulation.dispose()
  }
}

function violationOf(error: unknown): Violation {
  if (error instanceof Broken) return error.violation
  if (error instanceof Stalled) return { invariant: 'L4', detail: error.message }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { invariant: 'crash', detail: text }
}

/** Rejections that nobody handles belong to the simulation under way: there is one at a time. */
let unhandled: ((error: unknown) => void) | null = null

/** Once for each process. What a killed process leaves behind is nobody's. */
export function watchRejections(): void {
  process.on('unhandledRejection', (error) => {
    if (!(error instanceof Killed)) unhandled?.(error)
  })
}

class Simulation {
  private readonly plan: Plan
  private readonly world: World
  private readonly trace: Trace
  private readonly server: SimulatedServer
  private readonly history = new History((hash) => this.readStore(hash))
  private readonly harm: Harm = {
    rolledBack: false,
    forked: false,
    adopted: false,
    forced: false,
    rotten: new Set(),
  }
  private readonly ledger = new Ledger(this.harm)
  private readonly instances: SimulatedInstance[] = []
  private readonly counts = new Map<string, number>()
  private readonly scene: Scene
  private readonly indexCopies = new Map<SimulatedInstance, Uint8Array>()
  private snapshot: StoreSnapshot | null = null
  /** What the store's disk damaged, by hash, as people have it elsewhere. */
  private readonly backups = new Map<string, string>()
  private underWay = 0
  /** What went wrong in something that nobody waits for. */
  private failure: Error | null = null

  constructor(plan: Plan, keepTrace: boolean) {
    this.plan = plan
    unhandled = (error) => {
      this.failure ??= error instanceof Error ? error : new Error(String(error))
    }
    this.world = createWorld()
    this.trace = new Trace({ keep: keepTrace, now: () => this.world.nowMs })
    this.server = createSimulatedServer({
      profile: profiles[plan.profile],
      clock: this.world.clock,
      random: createChance(plan.seed, 'server'),
      latencyMs: plan.latencyMs,
      onEffect: (effect) => this.noteEffect(effect),
    })
    this.harm.forked = profiles[plan.profile].move.how === 'copy'
    this.scene = {
      history: this.history,
      instances: this.instances,
      launch: (what, work) => this.launch(what, work),
      later: (ms, act) => this.later(ms, act),
    }
  }

  async run(): Promise<void> {
    for (const settings of this.plan.instances) {
      const instance = this.add(settings)
      await this.begin(instance)
    }
    this.server.setFaults(this.plan.faults)
    for (const event of this.plan.events) {
      if (event.atMs > this.world.nowMs) await this.waitUntil(event.atMs)
      this.act(event)
      if (this.failure !== null) throw this.failure
    }
    await this.waitUntil(this.world.nowMs + 2_000)
    await this.heal()
  }

  result(violation: Violation | null): Result {
    for (const [name, count] of this.server.counts) this.counts.set(name, count)
    return {
      violation,
      digest: this.trace.digest(),
      lines: this.trace.lines,
      counts: this.counts,
      steps: this.world.steps,
      virtualMs: this.world.nowMs,
    }
  }

  dispose(): void {
    for (const instance of this.instances) instance.close()
  }

  /**
   * The first head is the one name that everybody writes. Where a request of a creator that had given up on it comes
   * after the first commit, two commits can follow it: that is healed like a fork, and counts as one.
   */
  private noteEffect(effect: Effect): void {
    if (effect.name !== headName(emptyStorePoint)) return
    if (effect.kind === 'renamed') this.isFounded = true
    else if (effect.kind === 'written' && this.isFounded) {
      this.harm.forked = true
      this.count('first head comes back')
    }
  }
  private isFounded = false

  // -- chaos -------------------------------------------------------------------------------------------------------

  private add(settings: Plan['instances'][number]): SimulatedInstance {
    const instance = new SimulatedInstance({
      settings,
      seed: this.plan.seed,
      world: this.world,
      server: this.server,
      trace: this.trace,
      observer: {
        appended: (who, changeset, isOwn) => {
          try {
            this.ledger.appended(who, changeset, isOwn)
          } catch (error) {
            this.failure ??= error as Error
          }
        },
        deletedTooMuch: (who, what) => {
          this.failure ??= new Broken('S15', `${who.name} ${what} and asked nobody`)
        },
      },
    })
    this.instances.push(instance)
    return instance
  }

  /** Starts an instance; it may be killed while it starts. */
  private async begin(instance: SimulatedInstance): Promise<void> {
    await this.world.settle(instance.start(), stepsMax)
  }

  private launch(what: string, work: () => Promise<unknown>): void {
    this.underWay += 1
    const settled = () => {
      this.underWay -= 1
    }
    work().then(settled, (error) => {
      settled()
      this.trace.note('', `${what}: ${(error as Error).message}`)
      if (!isDavitError(error)) this.failure ??= error as Error
    })
  }

  private isHealing = false

  private readStore(hash: string): string | null {
    const prefix = `${hash.slice(0, 2)}/${hash}-`
    for (const name of this.server.names()) {
      const bytes = name.startsWith(prefix) ? this.server.read(name) : null
      const text = bytes === null ? null : Buffer.from(bytes).toString()
      if (text !== null && hashOfText(text) === hash) return text
    }
    return null
  }

  private later(ms: number, act: () => void): void {
    this.world.after(ms, () => {
      if (!this.isHealing) this.withRoom(act)
    })
  }

  /** What people do. */
  private withRoom(act: () => void): void {
    const nested = this.instances.reduce(
      (inner, { troubles }) =>
        () =>
          troubles.withRoom(inner),
      act,
    )
    nested()
  }

  private async waitUntil(ms: number): Promise<void> {
    let isThere = ms <= this.world.nowMs
    this.world.after(ms - this.world.nowMs, () => {
      isThere = true
    })
    await this.world.run(() => isThere || this.failure !== null, stepsMax)
    if (this.failure !== null) throw this.failure
  }

  private count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  private act(event: PlannedEvent): void {
    const instance = this.instances[event.who % this.instances.length] as SimulatedInstance
    if (instance.isGone) return
    const chance = createChance(event.seed, event.kind)
    this.trace.note(instance.name, `— ${event.kind}`)
    this.count(`event ${event.kind}`)
    const gesture = gestureKinds.find((kind) => kind === event.kind)
    if (gesture !== undefined) {
      if (!instance.isAway) this.withRoom(() => gestures[gesture](this.scene, instance, chance))
      return
    }
    switch (event.kind) {
      case 'sync':
        // One process for each state folder: a second one is refused while the first one starts.
        if (instance.isStarting) break
        if (!instance.isRunning) this.restart(instance)
        else this.launch(`${instance.name} syncs`, () => instance.sync({ full: chance.happens(0.2) }))
        break
      case 'crash':
        if (!instance.isRunning) break
        instance.process.killAfter(chance.between(1, chance.pick([5, 40, 200])))
        if (chance.happens(0.7)) this.launch(`${instance.name} syncs`, () => instance.sync())
        break
      case 'powerCut':
        instance.powerCut()
        break
      case 'restart':
        instance.kill()
        this.restart(instance)
        break
      case 'pause':
        if (instance.isRunning) instance.process.pause(chance.pick([1_000, 30_000, 3_600_000]))
        break
      case 'clockJump':
        instance.clock.jump(chance.pick([-1, 1]) * chance.pick([1_000, 3_600_000, 86_400_000 * 40]))
        break
      case 'loseState':
        instance.troubles.mount()
        instance.loseState()
        // A copy that is put back comes with the state folder that it belongs to, which is gone.
        this.indexCopies.delete(instance)
        break
      case 'copyIndex':
        this.indexCopies.set(instance, instance.copyIndex())
        break
      case 'restoreIndex': {
        const copy = this.indexCopies.get(instance)
        if (copy !== undefined) instance.restoreIndex(copy)
        break
      }
      case 'join':
        this.join(event)
        break
      case 'leave':
        // Somebody has to be left who can agree with somebody.
        if (this.instances.filter(({ isGone }) => !isGone).length <= 1) break
        instance.kill()
        instance.isGone = true
        break
      case 'slipIn':
        if (instance.isRunning)
          instance.slipInAfter(chance.between(1, chance.pick([10, 60, 200])), () =>
            this.withRoom(() => slipIn(this.scene, instance, chance)),
          )
        break
      case 'crashWriting':
        if (!instance.isRunning) break
        instance.killAfterWrites(chance.between(1, chance.pick([4, 12, 40])))
        this.launch(`${instance.name} syncs`, () => instance.sync())
        break
      case 'crashPulling':
        this.crashPulling(instance, chance)
        break
      case 'fullDisk':
        instance.troubles.fill(chance.pick([0, 4_096, 5 * 4_096]))
        this.later(chance.between(1_000, 20_000), () => instance.troubles.free())
        break
      case 'brokenDisk':
        instance.troubles.break(chance.between(1, chance.pick([10, 100])), chance)
        break
      case 'unreadable':
        this.makeUnreadable(instance, chance)
        break
      case 'unmount':
        this.unmount(instance, chance)
        break
      default:
        this.harmStore(event, chance)
    }
  }

  /** Dies while it takes in what somebody else did, part of which is undone before it lives again. */
  private crashPulling(instance: SimulatedInstance, chance: Chance): void {
    const others = this.living.filter(
      (other) => other !== instance && other.isRunning && !other.isAway && !instance.isAway,
    )
    if (!instance.isRunning || others.length === 0) return
    const other = chance.pick(others)
    const one = new Person(other, this.history)
    this.withRoom(() => {
      if (chance.happens(0.6)) for (let index = 0; index < 3; index++) one.create(chance)
      if (chance.happens(0.5)) gestures.swap(this.scene, other, chance)
      if (chance.happens(0.3)) gestures.rename(this.scene, other, chance)
      if (chance.happens(0.3)) gestures.renameFolder(this.scene, other, chance)
    })
    this.launch(`${instance.name} pulls from ${other.name}`, async () => {
      await other.sync()
      if (!instance.isRunning || this.isHealing) return
      instance.killAfterWrites(chance.between(1, chance.pick([12, 40])))
      await instance.sync()
      if (!other.isRunning || other.isAway || this.isHealing || chance.happens(0.4)) return
      this.withRoom(() => {
        const path = one.anyFile(chance)
        if (path === null) return
        if (chance.happens(0.5)) one.remove(path)
        else one.edit(chance, path)
      })
      await other.sync()
    })
  }

  /** A file, or a folder with all that is in it. */
  private makeUnreadable(instance: SimulatedInstance, chance: Chance): void {
    const entries = workspaceOf(instance)
    if (entries.length === 0) return
    const hidden = chance.pick(entries.map(({ path }) => path))
    instance.troubles.hide(`${rootPath}/${hidden}`)
    for (const { path, text } of entries)
      if (text !== null && path.startsWith(`${hidden}/`)) this.history.hid(text)
    this.later(chance.between(1_000, 20_000), () => instance.troubles.show())
  }

  /** In the middle of a run, too. */
  private unmount(instance: SimulatedInstance, chance: Chance): void {
    const act = () => {
      this.withRoom(() => instance.troubles.unmount())
      this.later(chance.between(1_000, 20_000), () => instance.troubles.mount())
    }
    if (instance.isRunning && chance.happens(0.7)) instance.slipInAfter(chance.between(1, 60), act)
    else act()
  }

  private restart(instance: SimulatedInstance): void {
    this.launch(`${instance.name} starts`, () => instance.start())
  }

  private join(event: PlannedEvent): void {
    const name = instanceNames[this.instances.length]
    const [like] = this.plan.instances
    if (name === undefined || like === undefined) return
    const instance = this.add({ ...like, name })
    this.launch(`${name} joins`, async () => {
      await instance.start()
      if (event.seed % 2 === 0)
        gestures.write(this.scene, instance, createChance(event.seed, 'before joining'))
      await instance.sync()
    })
  }

  private harmStore(event: PlannedEvent, chance: ReturnType<typeof createChance>): void {
    const { server } = this
    const heads = server
      .names()
      .filter((name) => name.startsWith('version/') && name.length > 'version/'.length)
    switch (event.kind) {
      case 'outage':
        server.startOutage(undefined, chance.pick([2_000, 20_000, 120_000]))
        break
      case 'snapshot':
        this.snapshot = server.snapshot()
        break
      case 'rollback':
        if (this.snapshot === null) break
        server.restore(this.snapshot)
        this.harm.rolledBack = true
        break
      case 'wipe':
        server.wipe()
        this.harm.rolledBack = true
        break
      case 'duplicateHead': {
        // As a MOVE leaves it that copies: the name of the parent beside the head.
        // Nobody renames to the name of a changeset that did not arrive whole.
        const changes = server
          .names()
          .filter((name) => /^changes\/\d+\/\d{12}-/.test(name))
          .filter((name) => hashOfText(server.read(name) ?? '') === name.split('-').at(-1))
        if (heads.length !== 1 || changes.length === 0) break
        const [head] = heads as [string]
        server.write(`version/${chance.pick(changes).split('/').at(-1)}`, server.read(head) as Uint8Array)
        this.harm.forked = true
        break
      }
      case 'forgeLock':
        server.write(
          `lock/held-${chance.uuid()}-${chance.hex(12)}`,
          server.read('lock/free') ?? new Uint8Array(),
        )
        break
      case 'dropLock':
        for (const name of server.names()) if (/^lock\/.+/.test(name)) server.remove(name)
        break
      case 'fullStore': {
        const usedBytes = server
          .names()
          .reduce((sum, name) => sum + (server.read(name)?.length ?? 0), chance.pick([0, 300, 2_000]))
        server.setFaults({ ...this.plan.faults, quotaBytes: usedBytes })
        this.later(chance.between(1_000, 30_000), () => server.setFaults(this.plan.faults))
        break
      }
      case 'overwriteBlob': {
        // The disk of the server rots. Whoever has the content sends it again.
        const blobs = server.names().filter((name) => /^[0-9a-f]{2}\/.+/.test(name))
        if (blobs.length === 0) break
        const name = chance.pick(blobs)
        const hash = name.slice(3, 67)
        const text = Buffer.from(server.read(name) ?? []).toString()
        if (hashOfText(text) === hash) this.backups.set(hash, text)
        server.write(name, Buffer.from('rotten'))
        this.harm.rotten.add(hash)
        break
      }
    }
  }

  // -- healing -----------------------------------------------------------------------------------------------------

  private get living(): SimulatedInstance[] {
    return this.instances.filter(({ isGone }) => !isGone)
  }

  private async heal(): Promise<void> {
    const { world, server } = this
    this.trace.note('', '== healing ==')
    this.isHealing = true
    server.setFaults({})
    server.settle(createChance(this.plan.seed, 'settling').happens(0.5) ? 'run' : 'drop')
    for (const instance of this.living) {
      instance.isSafe()
      if (instance.isRunning) instance.process.resume()
      else await this.begin(instance)
      instance.isSafe()
    }
    const chance = createChance(this.plan.seed, 'healing')
    // Uploads that are slow enough may still be on their way from before.
    await this.waitUntil(world.nowMs + 70_000)
    await world.run(() => this.underWay === 0 || this.failure !== null, stepsMax)
    if (this.failure !== null) throw this.failure
    for (let round = 0; ; round++) {
      if (round === roundsMax) throw new Broken('L1', `no rest after ${roundsMax} rounds: ${this.standing()}`)
      const before = this.versions()
      const { isWell, hasMetLock } = await this.syncAll(chance, round === 0)
      const after = this.versions()
      const isQuiet =
        isWell &&
        !hasMetLock &&
        before.join() === after.join() &&
        new Set(after).size === 1 &&
        this.living.every(({ index, engine }) => index.trees.counts().pending === 0 && engine.halt() === null)
      if (isQuiet) break
    }
    // Whoever restores a store has it verified: what was on its way to it in that moment is named by later commits.
    if (this.harm.rotten.size > 0 || this.harm.rolledBack) {
      await this.repair(chance)
      // The look that follows an own commit is due to it.
      for (let round = 0; round < roundsMax; round++)
        if (!(await this.syncAll(chance, false)).hasMetLock) break
    }
    await this.checkQuiet()
    checkAtRest({
      history: this.history,
      ledger: this.ledger,
      server,
      harm: this.harm,
      instances: this.living,
      all: this.instances,
    })
    if (chance.happens(0.5)) await this.resolveAll(chance)
  }

  /**
   * One run of each. `hasMetLock`: somebody who wants the lock found it with a name that nobody holds it by. Whoever met
   * it for the first time has to see it stand for its lease before it is broken: until then each run asks for it again.
   */
  private async syncAll(
    chance: ReturnType<typeof createChance>,
    full: boolean,
  ): Promise<{ readonly isWell: boolean; readonly hasMetLock: boolean }> {
    // A lock that nobody holds is broken once it has not changed for its lease.
    if (this.isLockHeld()) await this.waitUntil(this.world.nowMs + 2 * lockLeaseMs)
    const sent = new Map(this.living.map((instance) => [instance, instance.sent.length]))
    let isWell = true
    for (const instance of this.living) isWell = (await this.syncOne(instance, chance, full)) && isWell
    const hasAsked = this.living.some((instance) =>
      instance.sent.slice(sent.get(instance)).includes(`PROPFIND ${lockFolder}`),
    )
    return { isWell, hasMetLock: hasAsked && this.isLockHeld() }
  }

  private isLockHeld(): boolean {
    return this.server.names().some((name) => name.startsWith(`${lockFolder}held-`))
  }

  private isRepairing = false
  private hasRepaired = false

  private async syncOne(
    instance: SimulatedInstance,
    chance: ReturnType<typeof createChance>,
    full: boolean,
  ): Promise<boolean> {
    const summary = await this.world.settle(instance.sync({ full }), stepsMax)
    if (this.failure !== null) throw this.failure
    if (summary === null) throw new Error(`${instance.name} died while everything was healthy`)
    if (summary.outcome === 'in-sync' || summary.outcome === 'conflicts') return true
    let code: string = summary.error?.code ?? ''
    this.count(`healing ${code}`)
    if (code === 'deletion-guard') {
      this.harm.forced = true
      await this.world.settle(instance.sync({ full: true, force: true }), stepsMax)
      return false
    }
    if (this.harm.rolledBack && ['remote-rolled-back', 'remote-missing', 'remote-foreign'].includes(code)) {
      const choice = chance.happens(0.7) && code !== 'remote-foreign' ? 'republish' : 'adopt'
      code = await this.chooses(instance, choice)
      // Joined by a checkpoint, after what the store lost was made.
      if (choice === 'republish' && code === 'remote-rolled-back')
        code = await this.chooses(instance, 'adopt')
      if (code === '') return false
    }
    // An index from before several starts: which of the two is the old one, it or the workspace, cannot be told.
    if (instance.hasOldState && code === 'workspace-restored') {
      await this.chooses(instance, 'adopt')
      return false
    }
    const isDamaged = this.harm.rolledBack || this.harm.rotten.size > 0
    if (isDamaged && code === 'remote-damaged' && !this.isRepairing && !this.hasRepaired) {
      // What was uploaded and not committed yet when the store was taken back is named by a later commit.
      this.isRepairing = true
      await this.repair(chance)
      this.isRepairing = false
      this.hasRepaired = true
      return false
    }
    if (this.harm.rolledBack && code === 'remote-damaged') {
      if (this.isRepairing) return false
      // A backup came back between the upload of a changeset and its commit, which names what is not there any more.
      this.count('a store is given up')
      this.server.wipe()
      return false
    }
    if (this.harm.rotten.size > 0 && code === 'remote-damaged' && !this.isRepairing) this.bringBack(instance)
    if (summary.outcome === 'halted')
      throw new Broken('L8', `${instance.name} asks a person: ${JSON.stringify(summary.error)}`)
    return false
  }

  /** A person decides how to go on. Answers the code of what keeps it from being done. */
  private async chooses(instance: SimulatedInstance, choice: 'republish' | 'adopt'): Promise<string> {
    if (choice === 'adopt') this.harm.adopted = true
    this.trace.note(instance.name, `a person chooses ${choice}`)
    this.count(`recover ${choice}`)
    try {
      await this.world.settle(instance.recover(choice), stepsMax)
      return ''
    } catch (error) {
      if (!isDavitError(error, 'remote-rolled-back', 'remote-damaged')) throw error
      return error.code
    }
  }

  /**
   * Repaired in vain: whoever had the content is gone for good, or has deleted it, and nobody else took it in before it
   * was damaged. No instance comes to rest without it, and each says so; a person has it in a backup, and puts it where
   * it belongs.
   */
  private bringBack(instance: SimulatedInstance): void {
    const texts = this.living.flatMap((each) => workspaceOf(each).map(({ text }) => text))
    for (const { local, synced, remote } of instance.index.trees.dirtyPage({ limit: 1_000 })) {
      if (remote === null || remote.deletedVersion !== null) continue
      const { path, hash } = remote.state
      const text = hash === null ? undefined : this.backups.get(hash)
      if (hash === null || text === undefined || texts.includes(text) || this.readStore(hash) !== null)
        continue
      // Nobody saves a backup over an edit of their own.
      if (local !== null && local.state.hash !== synced?.hash) continue
      this.count('brought back from a backup')
      new Person(instance, this.history).save(local?.state.path ?? path, text, { inPlace: true })
    }
  }

  /** As a person does who was told of damage in the store. */
  private async repair(chance: ReturnType<typeof createChance>): Promise<void> {
    for (const instance of this.living) {
      const report = instance.doing(() =>
        instance.engine.exclusively(() => verify(instance.context, { deep: true, repair: true })),
      )
      this.count(`repaired ${(await this.world.settle(report, stepsMax))?.repaired ?? 0}`)
      for (const each of this.living) await this.syncOne(each, chance, false)
    }
  }

  /** One further sync of each writes nothing and asks at most once for what it knows. */
  private async checkQuiet(): Promise<void> {
    for (const instance of this.living) {
      // A poll of its own that asks at this moment may have to confirm the answer by a listing: that is no part of the sync.
      await this.world.run(() => !instance.isAsking, stepsMax)
      const requests = instance.sent.length
      const files = instance.writes
      const wasTorn = this.isHeadTorn()
      await this.world.settle(instance.sync(), stepsMax)
      const sent = instance.sent.slice(requests)
      // Where HEAD tells no length, or the head is a torso that a cut upload left, a listing has to confirm it.
      const most = this.server.profile.get.headLength && !wasTorn && !this.isHeadTorn() ? 1 : 2
      if (sent.length > most || sent.some((line) => !/^(HEAD|PROPFIND) /.test(line)))
        throw new Broken('L3', `${instance.name} at rest sends ${sent.join(', ')}`)
      if (instance.writes !== files) throw new Broken('L3', `${instance.name} at rest writes to its disk`)
    }
  }

  /** Also while a slow upload of it is under way, which ends at any time. */
  private isHeadTorn(): boolean {
    const [head] = this.server.names().filter((name) => name.startsWith('version/'))
    return head === undefined || this.server.read(head)?.length !== headContent.length
  }

  /** What is in conflict can be decided, and then everybody agrees on everything. */
  private async resolveAll(chance: ReturnType<typeof createChance>): Promise<void> {
    for (let round = 0; round < roundsMax; round++) {
      const decider = chance.pick(this.living)
      if (!resolveAny(this.scene, decider, chance)) break
      await this.world.run(() => this.underWay === 0 || this.failure !== null, stepsMax)
      if (this.failure !== null) throw this.failure
      // Whoever decided first: then the others learn of it at once.
      const others = this.living.filter((instance) => instance !== decider)
      for (const instance of [decider, ...others]) await this.syncOne(instance, chance, false)
    }
    // What one of them answered to the last decision, and a checkpoint that pays by now.
    for (let round = 0; round === 0 || (round < roundsMax && new Set(this.versions()).size > 1); round++)
      for (const instance of this.living) await this.syncOne(instance, chance, false)
    checkAtRest({
      history: this.history,
      ledger: this.ledger,
      server: this.server,
      harm: this.harm,
      instances: this.living,
      all: this.instances,
    })
  }

  private versions(): number[] {
    return this.living.map(({ index }) => index.chain.point()?.version ?? 0)
  }

  private standing(): string {
    return JSON.stringify(
      this.living.map((instance) => ({
        name: instance.name,
        version: instance.index.chain.point()?.version,
        pending: instance.index.trees.counts().pending,
        halt: instance.engine.halt(),
        last: instance.summaries.at(-1)?.error,
        dirty: instance.index.trees.dirtyPage({ limit: 2 }),
      })),
    )
  }
}

/**
 * The server as far as the commit protocol sees it, as a value: the names in `version/`, in `lock/`, and, where a
 * scenario follows them, the changesets. Executing a request gives a new value; nothing else ever changes it.
 */
import { emptyStorePoint } from '../../src/model/changeset.ts'
import { freeLockName, headContent, headName } from '../../src/remote/layout.ts'

export interface Store {
  /** Names in `version/`, with the folder, sorted. */
  readonly heads: readonly string[]
  /** Names in `lock/`, with the folder, sorted. */
  readonly locks: readonly string[]
  /** Followed changesets; those that are not followed are there, whole, from their PUT on. */
  readonly objects: ReadonlyMap<string, 'whole' | 'torn'>
}

/** One request of a writer that somebody else can notice, or that notices somebody else. */
export interface StepRequest {
  readonly method: 'PROPFIND' | 'HEAD' | 'GET' | 'PUT' | 'MOVE' | 'DELETE'
  readonly name: string
  /** Of MOVE. */
  readonly target?: string
}

export type Answer =
  | { readonly kind: 'names'; readonly names: readonly string[] }
  | { readonly kind: 'status'; readonly status: number }
  /** The body of a GET; `torn` when half of it came. */
  | { readonly kind: 'body'; readonly torn: boolean }
  /** No answer came: the client cannot know what became of the request. */
  | { readonly kind: 'none' }

export const firstHead = headName(emptyStorePoint)
export const emptyStore: Store = { heads: [], locks: [freeLockName], objects: new Map() }

export const noAnswer: Answer = { kind: 'none' }
export const status = (code: number): Answer => ({ kind: 'status', status: code })

export function answerKey(answer: Answer): string {
  switch (answer.kind) {
    case 'names':
      return `{${answer.names.join(',')}}`
    case 'status':
      return String(answer.status)
    case 'body':
      return answer.torn ? 'torn' : 'body'
    case 'none':
      return '-'
  }
}

/** What a server does that follows the rules, in one moment. */
export function execute(
  store: Store,
  request: StepRequest,
): { readonly store: Store; readonly answer: Answer } {
  const { method, name } = request
  const names = namesAt(store, name)
  switch (method) {
    case 'PROPFIND':
      return { store, answer: { kind: 'names', names: names ?? [] } }
    case 'HEAD':
    case 'GET': {
      if (names !== null) return { store, answer: status(names.includes(name) ? 200 : 404) }
      const there = store.objects.get(name)
      if (there === undefined) return { store, answer: status(404) }
      return { store, answer: { kind: 'body', torn: there === 'torn' } }
    }
    case 'PUT':
      if (names === null) return { store: withObject(store, name, 'whole'), answer: status(201) }
      if (names.includes(name)) return { store, answer: status(204) }
      return { store: withNames(store, name, [...names, name]), answer: status(201) }
    case 'DELETE':
      if (names === null) {
        if (!store.objects.has(name)) return { store, answer: status(404) }
        return { store: withObject(store, name, null), answer: status(204) }
      }
      if (!names.includes(name)) return { store, answer: status(404) }
      return { store: without(store, name), answer: status(204) }
    case 'MOVE': {
      const copied = copy(store, request)
      if (copied.answer.kind !== 'status' || copied.answer.status !== 201) return copied
      return { store: without(copied.store, name), answer: copied.answer }
    }
  }
}

/** The first half of a MOVE on a server that copies and deletes. */
export function copy(
  store: Store,
  { name, target = '' }: StepRequest,
): { readonly store: Store; readonly answer: Answer } {
  const names = namesAt(store, name) ?? []
  if (!names.includes(name)) return { store, answer: status(404) }
  if (names.includes(target)) return { store, answer: status(412) }
  return { store: withNames(store, name, [...names, target]), answer: status(201) }
}

export function without(store: Store, name: string): Store {
  return withNames(
    store,
    name,
    (namesAt(store, name) ?? []).filter((other) => other !== name),
  )
}

/** `null`: a changeset, which is followed by its own state. */
function namesAt(store: Store, name: string): readonly string[] | null {
  if (name.startsWith('version/')) return store.heads
  if (name.startsWith('lock/')) return store.locks
  return null
}

function withNames(store: Store, name: string, names: readonly string[]): Store {
  const sorted = [...names].sort()
  return name.startsWith('lock/') ? { ...store, locks: sorted } : { ...store, heads: sorted }
}

export function withObject(store: Store, name: string, state: 'whole' | 'torn' | null): Store {
  const objects = new Map(store.objects)
  if (state === null) objects.delete(name)
  else objects.set(name, state)
  return { ...store, objects }
}

export const headBytes = headContent

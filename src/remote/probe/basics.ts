/** PUT, GET, HEAD, DELETE, MKCOL and Range, one after the other. */
import { contentLength } from '../answer.ts'
import { ask, get, isDone, type ProbeContext, put, sameBytes } from './client.ts'
import type { BasicFacts } from './facts.ts'

export async function probeBasics(context: ProbeContext): Promise<BasicFacts> {
  const { folder } = context
  const first = 'what stands here first'
  const file = `${folder}file`
  await put(context, file, first)
  const written = await get(context, file)
  await put(context, `${folder}empty`, '')
  const empty = await get(context, `${folder}empty`)
  const head = await ask(context, { method: 'HEAD', name: file })
  const length = contentLength(head)
  const part = await ask(context, { method: 'GET', name: file, headers: { range: 'bytes=5-10' } })
  const second = 'and what replaces it is longer'
  await put(context, file, second)
  const replaced = await get(context, file)
  const putWithoutParent = await put(context, `${folder}none/file`, first)
  const getMissing = await get(context, `${folder}missing`)
  const headMissing = await ask(context, { method: 'HEAD', name: `${folder}missing` })
  await ask(context, { method: 'DELETE', name: file })
  const removed = await get(context, file)
  const removeMissing = await ask(context, { method: 'DELETE', name: `${folder}missing` })
  return {
    put: written.status === 200 && sameBytes(written.body, first),
    putEmpty: empty.status === 200 && empty.body.length === 0,
    replace: replaced.status === 200 && sameBytes(replaced.body, second),
    putWithoutParent: putWithoutParent.status,
    getMissing: getMissing.status,
    headMissing: headMissing.status,
    headLength: length === null ? 'absent' : length === first.length ? 'told' : 'wrong',
    remove: removed.status === 404,
    removeMissing: removeMissing.status,
    ...(await probeFolders(context)),
    range: rangeOf(part.status, part.body, first),
  }
}

async function probeFolders(
  context: ProbeContext,
): Promise<Pick<BasicFacts, 'mkcol' | 'mkcolExisting' | 'mkcolWithoutParent'>> {
  const { folder } = context
  await ask(context, { method: 'MKCOL', name: `${folder}made/` })
  const inside = await put(context, `${folder}made/file`, 'inside')
  const existing = await ask(context, { method: 'MKCOL', name: `${folder}made/` })
  const orphan = await ask(context, { method: 'MKCOL', name: `${folder}nowhere/made/` })
  const found = await get(context, `${folder}made/file`)
  return {
    mkcol: isDone(inside.status) && sameBytes(found.body, 'inside'),
    mkcolExisting: existing.status,
    mkcolWithoutParent: orphan.status,
  }
}

function rangeOf(status: number | null, body: Uint8Array, whole: string): BasicFacts['range'] {
  if (status === 206 && sameBytes(body, whole.slice(5, 11))) return 'part'
  return status === 200 && sameBytes(body, whole) ? 'whole' : 'wrong'
}

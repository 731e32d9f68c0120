/** MOVE and COPY, one after the other: what happens to the files, whatever is answered. */
import { ask, get, type ProbeContext, put, sameBytes } from './client.ts'
import type { MoveFacts } from './facts.ts'

type Form = 'absolute' | 'path'

export async function probeMoves(context: ProbeContext): Promise<MoveFacts> {
  const absolute = await movesWith(context, 'absolute')
  const path = await movesWith(context, 'path')
  const form: Form = absolute || !path ? 'absolute' : 'path'
  const { folder } = context
  const missing = await transfer(context, form, 'MOVE', 'missing', 'never')
  await put(context, `${folder}parentless`, 'parentless')
  const withoutParent = await transfer(context, form, 'MOVE', 'parentless', 'none/file')
  return {
    move: absolute || path,
    absoluteDestination: absolute,
    pathDestination: path,
    moveMissing: missing,
    moveWithoutParent: withoutParent,
    moveOntoFile: await moveOntoFile(context, form),
    ...(await probeCopy(context, form)),
  }
}

async function movesWith(context: ProbeContext, form: Form): Promise<boolean> {
  const { folder } = context
  const content = `moved with a Destination that is ${form}`
  await put(context, `${folder}${form}-source`, content)
  await transfer(context, form, 'MOVE', `${form}-source`, `${form}-target`)
  const target = await get(context, `${folder}${form}-target`)
  const source = await get(context, `${folder}${form}-source`)
  return target.status === 200 && sameBytes(target.body, content) && source.status === 404
}

async function moveOntoFile(context: ProbeContext, form: Form): Promise<MoveFacts['moveOntoFile']> {
  const { folder } = context
  await put(context, `${folder}one`, 'one')
  await put(context, `${folder}two`, 'two')
  await transfer(context, form, 'MOVE', 'one', 'two')
  const one = await get(context, `${folder}one`)
  const two = await get(context, `${folder}two`)
  if (sameBytes(one.body, 'one') && sameBytes(two.body, 'two')) return 'refused'
  return sameBytes(two.body, 'one') ? 'replaced' : 'lost'
}

async function probeCopy(
  context: ProbeContext,
  form: Form,
): Promise<Pick<MoveFacts, 'copy' | 'copyOntoFile'>> {
  const { folder } = context
  await put(context, `${folder}copied`, 'copied')
  await put(context, `${folder}other`, 'other')
  await transfer(context, form, 'COPY', 'copied', 'copy')
  await transfer(context, form, 'COPY', 'copied', 'other')
  const original = await get(context, `${folder}copied`)
  const copy = await get(context, `${folder}copy`)
  const other = await get(context, `${folder}other`)
  return {
    copy: sameBytes(original.body, 'copied') && copy.status === 200 && sameBytes(copy.body, 'copied'),
    copyOntoFile: sameBytes(other.body, 'other') ? 'refused' : 'replaced',
  }
}

async function transfer(
  context: ProbeContext,
  form: Form,
  method: 'MOVE' | 'COPY',
  source: string,
  target: string,
) {
  const told = await ask(context, {
    method,
    name: context.folder + source,
    destination: context.folder + target,
    destinationForm: form,
    overwrite: false,
  })
  return told.status
}

/** Contents: immutable objects named by their SHA-256 and the token of the attempt that wrote them. */
import type { ObjectName } from '../model/changeset.ts'
import type { ContentSink, ContentSource } from '../model/content.ts'
import type { ContentHash } from '../model/file-state.ts'
import { fileBytesMax } from '../model/limits.ts'
import type { StoreContext } from './answer.ts'
import { damagedObject, downloadObject, findObject } from './download.ts'
import type { Folders } from './folders.ts'
import { contentFolder, contentName, parseContentName } from './layout.ts'
import { uploadObject } from './upload.ts'

export function writeContent(
  context: StoreContext,
  folders: Folders,
  hash: ContentHash,
  source: ContentSource,
  signal?: AbortSignal,
): Promise<ObjectName> {
  const folder = contentFolder(hash)
  return uploadObject(
    context,
    folders,
    { folder, name: (token) => contentName(hash, token), hash, source },
    signal,
  )
}

export async function readContent(
  context: StoreContext,
  name: ObjectName,
  expected: { readonly hash: ContentHash; readonly size: number },
  sink: ContentSink,
  signal?: AbortSignal,
): Promise<void> {
  // A name comes from a changeset, that is from anybody: only a content's name may be asked for.
  if (parseContentName(name) !== expected.hash)
    throw damagedObject(name.slice(0, 200), 'it is no name of that content')
  await downloadObject(context, name, { ...expected, sizeMax: fileBytesMax }, sink, signal)
}

export async function hasContent(context: StoreContext, name: ObjectName, size: number): Promise<boolean> {
  return parseContentName(name) !== null && findObject(context, name, size)
}

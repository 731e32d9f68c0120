/**
 * One listing as a file system of the `webdav-server` package, which makes the multistatus of it. The package never
 * sees the disk: it answers an unreadable folder as an empty one, and anything it meets on the way may end the process.
 */
import type { Stats } from 'node:fs'
import { v2 } from 'webdav-server'
import { entityTag } from './conditions.ts'
import type { Listing } from './listing.ts'

type Answer<T> = (error?: Error, value?: T) => void

export class ListingFileSystem extends v2.FileSystem {
  readonly #listing: Listing
  readonly #base: string

  /** `base` is the decoded path of the listing itself, such as `/` or `/a/b`. */
  constructor(base: string, listing: Listing) {
    super({ uid: () => 'davit-listing', serialize: noPersistence, unserialize: noPersistence })
    this.#base = base
    this.#listing = listing
  }

  #find(path: v2.Path): Stats | undefined {
    if (path.toString() === this.#base) return this.#listing.self
    const name = path.fileName()
    const inside = path.getParent().toString() === this.#base
    return inside && name !== undefined ? this.#listing.children.get(name) : undefined
  }

  #answer<T>(path: v2.Path, callback: Answer<T>, value: (stats: Stats) => T): void {
    const stats = this.#find(path)
    if (stats === undefined) callback(v2.Errors.ResourceNotFound)
    else callback(undefined, value(stats))
  }

  override _type(path: v2.Path, _info: v2.TypeInfo, callback: v2.ReturnCallback<v2.ResourceType>): void {
    this.#answer(path, callback, (stats) =>
      stats.isDirectory() ? v2.ResourceType.Directory : v2.ResourceType.File,
    )
  }

  override _size(path: v2.Path, _info: v2.SizeInfo, callback: v2.ReturnCallback<number>): void {
    this.#answer(path, callback, (stats) => stats.size)
  }

  override _etag(path: v2.Path, _info: v2.ETagInfo, callback: v2.ReturnCallback<string>): void {
    this.#answer(path, callback, entityTag)
  }

  override _mimeType(path: v2.Path, _info: v2.MimeTypeInfo, callback: v2.ReturnCallback<string>): void {
    this.#answer(path, callback, () => 'application/octet-stream')
  }

  override _creationDate(
    path: v2.Path,
    _info: v2.CreationDateInfo,
    callback: v2.ReturnCallback<number>,
  ): void {
    this.#answer(path, callback, (stats) => stats.birthtimeMs)
  }

  override _lastModifiedDate(
    path: v2.Path,
    _info: v2.LastModifiedDateInfo,
    callback: v2.ReturnCallback<number>,
  ): void {
    this.#answer(path, callback, (stats) => stats.mtimeMs)
  }

  override _readDir(path: v2.Path, _info: v2.ReadDirInfo, callback: v2.ReturnCallback<string[]>): void {
    this.#answer(path, callback, () => [...this.#listing.children.keys()])
  }

  override _availableLocks(
    _path: v2.Path,
    _info: v2.AvailableLocksInfo,
    callback: v2.ReturnCallback<v2.LockKind[]>,
  ): void {
    callback(undefined, [])
  }

  override _lockManager(
    _path: v2.Path,
    _info: v2.LockManagerInfo,
    callback: v2.ReturnCallback<v2.ILockManager>,
  ): void {
    callback(undefined, new v2.LocalLockManager())
  }

  override _propertyManager(
    _path: v2.Path,
    _info: v2.PropertyManagerInfo,
    callback: v2.ReturnCallback<v2.IPropertyManager>,
  ): void {
    callback(undefined, new v2.LocalPropertyManager())
  }
}

function noPersistence(): never {
  throw new Error('a listing is not persisted')
}

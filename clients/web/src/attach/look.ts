// What somebody wants to send, as it can be shown: how large a picture is, how long a video lasts, and a picture out of it.
// Everything is done in this browser; what it cannot read is a file like any other.

export interface Chosen {
  readonly id: string
  readonly file: File
  readonly sort: 'picture' | 'video' | 'file'
  /** Of a picture or a video, for showing. */
  readonly url: string
  readonly width: number
  readonly height: number
  readonly durationMs: number
  readonly poster?: Blob | undefined
}

/** Pixels of one side of a poster. */
const POSTER_MAX = 1280
/** Where a picture is taken out of a video: not the first frame, which is often black. */
const POSTER_AT_S = 1
const PATIENCE_MS = 15_000

export async function lookAt(file: File): Promise<Chosen> {
  const plain = { id: crypto.randomUUID(), file, sort: 'file' as const, url: '', width: 0, height: 0, durationMs: 0 }
  try {
    if (file.type.startsWith('image/') && file.type !== 'image/svg+xml') {
      const bitmap = await createImageBitmap(file)
      const { width, height } = bitmap
      bitmap.close()
      return { ...plain, sort: 'picture', url: URL.createObjectURL(file), width, height }
    }
    if (file.type.startsWith('video/')) return { ...plain, sort: 'video', url: URL.createObjectURL(file), ...(await ofVideo(file)) }
  } catch { /* this browser cannot read it */ }
  return plain
}

async function ofVideo(file: File): Promise<Pick<Chosen, 'width' | 'height' | 'durationMs' | 'poster'>> {
  const url = URL.createObjectURL(file)
  const video = document.createElement('video')
  try {
    video.muted = true
    video.playsInline = true
    video.preload = 'auto'
    video.src = url
    await happens(video, 'loadeddata')
    if (!Number.isFinite(video.duration)) {
      // A recording of a browser says only at its end how long it is.
      video.currentTime = 1e7
      await happens(video, 'seeked')
    }
    const { videoWidth: width, videoHeight: height, duration } = video
    if (!width || !height || !Number.isFinite(duration)) throw new RangeError('no picture')
    video.currentTime = Math.min(POSTER_AT_S, duration / 10)
    await happens(video, 'seeked')
    const scale = Math.min(1, POSTER_MAX / Math.max(width, height))
    const canvas = Object.assign(document.createElement('canvas'), { width: Math.round(width * scale), height: Math.round(height * scale) })
    canvas.getContext('2d')?.drawImage(video, 0, 0, canvas.width, canvas.height)
    const poster = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/jpeg', 0.82))
    return { width, height, durationMs: Math.round(duration * 1000), poster: poster ?? undefined }
  } finally {
    video.removeAttribute('src')
    URL.revokeObjectURL(url)
  }
}

function happens(video: HTMLVideoElement, event: string): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new RangeError(event)), PATIENCE_MS)
    video.addEventListener(event, () => { clearTimeout(timer); done() }, { once: true })
    video.addEventListener('error', () => { clearTimeout(timer); fail(new RangeError('unreadable')) }, { once: true })
  })
}

/** Files out of what was dropped; a folder has no bytes to be read, and is left out. */
export async function readable(files: readonly File[]): Promise<{ files: File[]; folders: number }> {
  const out: File[] = []
  for (const file of files) if (await file.slice(0, 1).arrayBuffer().then(() => true, () => false)) out.push(file)
  return { files: out, folders: files.length - out.length }
}

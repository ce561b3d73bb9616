// How a picture lies in its frame: how large, and where its middle is from the frame's. Pure.

export interface Lie { readonly scale: number; readonly x: number; readonly y: number }
export const FITS: Lie = { scale: 1, x: 0, y: 0 }
export const SCALE_MAX = 8
export const SCALE_TAP = 2.5

/** Larger or smaller by a factor, with the point (from the frame's middle) staying where it is. */
export function zoomed(lie: Lie, factor: number, x: number, y: number): Lie {
  const scale = Math.min(SCALE_MAX, Math.max(1, lie.scale * factor))
  const by = scale / lie.scale
  return { scale, x: x - (x - lie.x) * by, y: y - (y - lie.y) * by }
}

/** Moved back as far as none of its edges comes into the frame that need not. `width` and `height`: of the frame, and of the picture as it fits. */
export function within(lie: Lie, frame: { width: number; height: number }, fits: { width: number; height: number }): Lie {
  if (lie.scale <= 1) return FITS
  const room = (side: number, of: number) => Math.max(0, (side * lie.scale - of) / 2)
  const [mx, my] = [room(fits.width, frame.width), room(fits.height, frame.height)]
  return { scale: lie.scale, x: Math.min(mx, Math.max(-mx, lie.x)), y: Math.min(my, Math.max(-my, lie.y)) }
}

/** A picture's size as it fits a frame; never larger than it is. */
export function fitted(width: number, height: number, frame: { width: number; height: number }): { width: number; height: number } {
  const scale = Math.min(1, frame.width / (width || 1), frame.height / (height || 1))
  return { width: width * scale, height: height * scale }
}

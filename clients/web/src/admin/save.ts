// Gives a text to the browser to keep as a file.

export function saveFile(text: string, name: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: 'text/csv' }))
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  // The browser has begun to read it when the click is over; a minute is more than it takes.
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

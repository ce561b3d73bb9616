// Passkeys in the browser: options from the node's JSON, and credentials to JSON (WebAuthn 3, §5.1). Browsers that lack the
// functions for it are many still, so the few fields that are bytes are turned here.

/** Whether this browser can have any. */
export const hasPasskeys = (): boolean => typeof PublicKeyCredential !== 'undefined' && !!(navigator.credentials as CredentialsContainer | undefined)

/** Whether the person, or the browser for them, said no. */
export const wasDeclined = (error: unknown): boolean =>
  error instanceof DOMException && (error.name === 'NotAllowedError' || error.name === 'AbortError')

function bytes(text: string): ArrayBuffer {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(plain, (c) => c.charCodeAt(0)).buffer
}

function text(buffer: ArrayBuffer): string {
  const plain = btoa(String.fromCharCode(...new Uint8Array(buffer)))
  return plain.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

interface Named { id: string; type: 'public-key' }
const named = (all: readonly Named[] | undefined): PublicKeyCredentialDescriptor[] => (all ?? []).map((one) => ({ ...one, id: bytes(one.id) }))

/** Makes a passkey as the node's options say: its JSON. */
export async function makePasskey(options: string): Promise<string> {
  const said = JSON.parse(options) as Record<string, unknown> & { challenge: string; user: { id: string; name: string; displayName: string }; excludeCredentials?: Named[] }
  const publicKey = {
    ...said, challenge: bytes(said.challenge), user: { ...said.user, id: bytes(said.user.id) }, excludeCredentials: named(said.excludeCredentials),
  } as unknown as PublicKeyCredentialCreationOptions
  const made = (await navigator.credentials.create({ publicKey })) as PublicKeyCredential | null
  if (!made) throw new DOMException('', 'NotAllowedError')
  const response = made.response as AuthenticatorAttestationResponse
  return JSON.stringify({
    id: made.id, rawId: text(made.rawId), type: made.type, clientExtensionResults: {},
    response: { attestationObject: text(response.attestationObject), clientDataJSON: text(response.clientDataJSON), transports: response.getTransports?.() ?? [] },
  })
}

/** Shows a passkey that the person chooses: its JSON. */
export async function showPasskey(options: string): Promise<string> {
  const said = JSON.parse(options) as Record<string, unknown> & { challenge: string; allowCredentials?: Named[] }
  const publicKey = { ...said, challenge: bytes(said.challenge), allowCredentials: named(said.allowCredentials) } as unknown as PublicKeyCredentialRequestOptions
  const shown = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential | null
  if (!shown) throw new DOMException('', 'NotAllowedError')
  const response = shown.response as AuthenticatorAssertionResponse
  return JSON.stringify({
    id: shown.id, rawId: text(shown.rawId), type: shown.type, clientExtensionResults: {},
    response: {
      authenticatorData: text(response.authenticatorData), clientDataJSON: text(response.clientDataJSON), signature: text(response.signature),
      userHandle: response.userHandle ? text(response.userHandle) : null,
    },
  })
}

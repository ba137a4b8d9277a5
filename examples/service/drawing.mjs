/** A face, drawn: what the tests post, so that no photograph of a person need lie here. */
import sharp from 'sharp';

export function drawnFace(width = 640, height = 480) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 640 480">
    <defs><radialGradient id="skin" cx="0.45" cy="0.4"><stop offset="0" stop-color="#f2c9a8"/><stop offset="0.75" stop-color="#d9a27c"/>
    <stop offset="1" stop-color="#a8714f"/></radialGradient></defs>
    <rect width="640" height="480" fill="#7d94a8"/><rect x="190" y="370" width="260" height="120" rx="60" fill="#334"/>
    <rect x="275" y="320" width="90" height="90" fill="#c08e6a"/><ellipse cx="320" cy="215" rx="118" ry="150" fill="#3a2a1f"/>
    <ellipse cx="320" cy="238" rx="100" ry="130" fill="url(#skin)"/>
    <path d="M222 190 Q250 90 320 92 Q392 90 418 190 Q390 130 320 128 Q250 130 222 190" fill="#2e2018"/>
    <path d="M252 196 Q276 182 300 194" stroke="#2e2018" stroke-width="8" fill="none"/><path d="M340 194 Q364 182 388 196" stroke="#2e2018" stroke-width="8" fill="none"/>
    <g><ellipse cx="277" cy="218" rx="20" ry="11" fill="#fff"/><circle cx="277" cy="218" r="9" fill="#3b2a1a"/><ellipse cx="363" cy="218" rx="20" ry="11" fill="#fff"/>
    <circle cx="363" cy="218" r="9" fill="#3b2a1a"/></g><path d="M318 220 Q306 262 304 276 Q320 288 338 276" stroke="#9c6a48" stroke-width="6" fill="none"/>
    <path d="M276 316 Q320 300 364 316 Q320 342 276 316" fill="#a8484a"/><path d="M276 316 Q320 322 364 316" stroke="#7a2e32" stroke-width="3" fill="none"/></svg>`;
  return sharp(Buffer.from(svg)).blur(1.2).jpeg({ quality: 90 }).toBuffer();
}

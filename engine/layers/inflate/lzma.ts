/**
 * LZMA as LZMA2 chunks use it (source: the LZMA specification of the 7-Zip project, and xz's description of LZMA2). One
 * decoder lives as long as its block: dictionary, probabilities and state go on from chunk to chunk unless a chunk resets
 * them.
 */
import { TarError } from '../../../api/tar/entry.ts';

const states = 12;
const posStatesMax = 16;
const lowLengths = 8;
const midLengths = 8;
const highLengths = 256;
const distanceContexts = 4;
const alignBits = 4;
const endOfSlots = 14;
const minMatch = 2;
const half = 1024;

/** Probabilities of one length coder. */
class Lengths {
  readonly choice = new Uint16Array(2);
  readonly low = new Uint16Array(posStatesMax * lowLengths);
  readonly mid = new Uint16Array(posStatesMax * midLengths);
  readonly high = new Uint16Array(highLengths);

  reset(): void {
    for (const table of [this.choice, this.low, this.mid, this.high]) table.fill(half);
  }
}

export class LzmaDecoder {
  readonly #dictionary: Buffer;
  /** Where the next byte goes, and how much is known before it. */
  #at = 0;
  #known = 0;

  #literals = new Uint16Array(0);
  #literalContextBits = 0;
  #literalPositionMask = 0;
  #positionMask = 0;
  readonly #isMatch = new Uint16Array(states * posStatesMax);
  readonly #isRep = new Uint16Array(states);
  readonly #isRep0 = new Uint16Array(states);
  readonly #isRep1 = new Uint16Array(states);
  readonly #isRep2 = new Uint16Array(states);
  readonly #isRep0Long = new Uint16Array(states * posStatesMax);
  readonly #slots = new Uint16Array(distanceContexts * 64);
  readonly #special = new Uint16Array(128);
  readonly #align = new Uint16Array(1 << alignBits);
  readonly #matchLengths = new Lengths();
  readonly #repLengths = new Lengths();
  #state = 0;
  #reps = [0, 0, 0, 0] as [number, number, number, number];
  /** Bytes of output since the last reset of the dictionary: literals depend on their position. */
  #position = 0;

  #input: Buffer = Buffer.alloc(0);
  #inputAt = 0;
  #range = 0;
  #code = 0;

  constructor(dictionaryBytes: number) {
    this.#dictionary = Buffer.alloc(dictionaryBytes);
  }

  resetDictionary(): void {
    this.#at = 0;
    this.#known = 0;
    this.#position = 0;
  }

  /** `lc`, `lp` and `pb` in one byte. Throws TarError for what LZMA2 does not allow. */
  setProperties(byte: number): void {
    const [lc, lp, pb] = [byte % 9, Math.floor(byte / 9) % 5, Math.floor(byte / 45)];
    if (byte > 224 || lc + lp > 4) throw broken();
    this.#literalContextBits = lc;
    this.#literalPositionMask = (1 << lp) - 1;
    this.#positionMask = (1 << pb) - 1;
    this.#literals = new Uint16Array(0x300 << (lc + lp));
  }

  resetState(): void {
    const tables = [this.#literals, this.#isMatch, this.#isRep, this.#isRep0, this.#isRep1, this.#isRep2];
    for (const table of [...tables, this.#isRep0Long, this.#slots, this.#special, this.#align]) table.fill(half);
    this.#matchLengths.reset();
    this.#repLengths.reset();
    this.#state = 0;
    this.#reps = [0, 0, 0, 0];
  }

  /** Bytes that stand as they are. */
  copy(bytes: Buffer): Buffer {
    for (const byte of bytes) this.#put(byte);
    return bytes;
  }

  /** Exactly `size` bytes. Throws TarError. */
  decode(input: Buffer, size: number): Buffer {
    if (this.#literals.length === 0) throw broken();
    this.#input = input;
    this.#inputAt = 5;
    this.#range = 0xffffffff;
    this.#code = input.readUInt32BE(1);
    const output = Buffer.allocUnsafe(size);
    for (let done = 0; done < size;) done += this.#step(output, done);
    return output;
  }

  /** One symbol: a literal or a match. Returns how many bytes it gave. */
  #step(output: Buffer, done: number): number {
    const posState = this.#position & this.#positionMask;
    if (this.#bit(this.#isMatch, this.#state * posStatesMax + posState) === 0) {
      output[done] = this.#literal();
      return 1;
    }
    const length = this.#bit(this.#isRep, this.#state) === 0 ? this.#match(posState) : this.#repeat(posState);
    const distance = this.#reps[0];
    if (distance >= this.#known || done + length > output.length) throw broken();
    for (let index = 0; index < length; index++) {
      const byte = this.#before(distance);
      this.#put(byte);
      output[done + index] = byte;
    }
    return length;
  }

  #literal(): number {
    const previous = this.#known === 0 ? 0 : this.#before(0);
    const context =
      ((this.#position & this.#literalPositionMask) << this.#literalContextBits) +
      (previous >> (8 - this.#literalContextBits));
    const base = context * 0x300;
    let symbol = 1;
    if (this.#state >= 7) {
      if (this.#reps[0] >= this.#known) throw broken();
      let matched = this.#before(this.#reps[0]);
      while (symbol < 0x100) {
        const matchBit = (matched >> 7) & 1;
        matched <<= 1;
        const bit = this.#bit(this.#literals, base + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (matchBit !== bit) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(this.#literals, base + symbol);
    const byte = symbol & 0xff;
    this.#put(byte);
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
    return byte;
  }

  #match(posState: number): number {
    const [first, second, third] = this.#reps;
    const length = this.#length(this.#matchLengths, posState);
    this.#state = this.#state < 7 ? 7 : 10;
    this.#reps = [this.#distance(length), first, second, third];
    return length;
  }

  #repeat(posState: number): number {
    const [first, second, third, fourth] = this.#reps;
    if (this.#bit(this.#isRep0, this.#state) === 0) {
      if (this.#bit(this.#isRep0Long, this.#state * posStatesMax + posState) === 0) {
        this.#state = this.#state < 7 ? 9 : 11;
        return 1;
      }
    } else if (this.#bit(this.#isRep1, this.#state) === 0) this.#reps = [second, first, third, fourth];
    else if (this.#bit(this.#isRep2, this.#state) === 0) this.#reps = [third, first, second, fourth];
    else this.#reps = [fourth, first, second, third];
    const length = this.#length(this.#repLengths, posState);
    this.#state = this.#state < 7 ? 8 : 11;
    return length;
  }

  #length(lengths: Lengths, posState: number): number {
    if (this.#bit(lengths.choice, 0) === 0) return minMatch + this.#tree(lengths.low, posState * lowLengths, 3);
    if (this.#bit(lengths.choice, 1) === 0)
      return minMatch + lowLengths + this.#tree(lengths.mid, posState * midLengths, 3);
    return minMatch + lowLengths + midLengths + this.#tree(lengths.high, 0, 8);
  }

  #distance(length: number): number {
    const context = Math.min(length - minMatch, distanceContexts - 1);
    const slot = this.#tree(this.#slots, context * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = (2 | (slot & 1)) * 2 ** bits;
    if (slot < endOfSlots) return base + this.#reverseTree(this.#special, base - slot, bits);
    return base + this.#direct(bits - alignBits) * (1 << alignBits) + this.#reverseTree(this.#align, 0, alignBits);
  }

  #bit(table: Uint16Array, index: number): 0 | 1 {
    if (this.#range < 0x1000000) this.#normalise();
    const probability = table[index] ?? half;
    const bound = (this.#range >>> 11) * probability;
    if (this.#code < bound) {
      this.#range = bound;
      table[index] = probability + ((2048 - probability) >> 5);
      return 0;
    }
    this.#range -= bound;
    this.#code -= bound;
    table[index] = probability - (probability >> 5);
    return 1;
  }

  #direct(count: number): number {
    let result = 0;
    for (let left = count; left > 0; left--) {
      if (this.#range < 0x1000000) this.#normalise();
      this.#range >>>= 1;
      const isSet = this.#code >= this.#range;
      if (isSet) this.#code -= this.#range;
      result = result * 2 + (isSet ? 1 : 0);
    }
    return result;
  }

  #normalise(): void {
    const byte = this.#input[this.#inputAt++];
    if (byte === undefined) throw broken();
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | byte) >>> 0;
  }

  #tree(table: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    for (let left = bits; left > 0; left--) symbol = (symbol << 1) | this.#bit(table, base + symbol);
    return symbol - (1 << bits);
  }

  #reverseTree(table: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    let result = 0;
    for (let index = 0; index < bits; index++) {
      const bit = this.#bit(table, base + symbol);
      symbol = (symbol << 1) | bit;
      result |= bit << index;
    }
    return result;
  }

  #before(distance: number): number {
    const at = this.#at - distance - 1;
    return this.#dictionary[at < 0 ? at + this.#dictionary.length : at] ?? 0;
  }

  #put(byte: number): void {
    this.#dictionary[this.#at++] = byte;
    if (this.#at === this.#dictionary.length) this.#at = 0;
    if (this.#known < this.#dictionary.length) this.#known += 1;
    this.#position = (this.#position + 1) >>> 0;
  }
}

function broken(): TarError {
  return new TarError('compressed data is broken: its xz content makes no sense');
}

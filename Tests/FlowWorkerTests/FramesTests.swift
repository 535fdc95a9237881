import Testing

@testable import FWDocker
@testable import FWModel

@Suite struct FramesTests {
  private struct Decoded: Equatable {
    var stdout: [UInt8] = []
    var stderr: [UInt8] = []
    var isCutShort = false
  }

  /// The output in a stream that arrives in pieces, each of which ends at one of `ends`.
  private func decoded(_ stream: [UInt8], endsAt ends: [Int] = []) -> Decoded {
    var frames = Frames()
    var decoded = Decoded()
    var start = 0
    for end in ends + [stream.count] {
      let piece = stream[start..<end]
      piece.withUnsafeBytes { bytes in
        frames.take(bytes) { stream, part in
          if stream == .stdout { decoded.stdout += part } else { decoded.stderr += part }
        }
      }
      start = end
    }
    decoded.isCutShort = frames.isCutShort
    return decoded
  }

  private func frame(_ stream: UInt8, _ bytes: [UInt8], size: UInt32? = nil) -> [UInt8] {
    let size = size ?? UInt32(bytes.count)
    return [stream, 0, 0, 0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: size >> $0) } + bytes
  }

  @Test("the two streams are separated, wherever the pieces end")
  func pieces() {
    let stream =
      frame(1, Array("one\n".utf8)) + frame(2, []) + frame(2, Array("two".utf8)) + frame(1, [])
      + frame(0, [0, 0, 0, 0, 0, 0, 0, 0]) + frame(3, [1, 0, 0, 0, 0, 0, 0, 9]) + frame(1, Array("\u{1F600}".utf8))
    let whole = decoded(stream)
    #expect(whole.stdout == Array("one\n".utf8) + [0, 0, 0, 0, 0, 0, 0, 0] + Array("\u{1F600}".utf8))
    #expect(whole.stderr == Array("two".utf8) + [1, 0, 0, 0, 0, 0, 0, 9])
    #expect(!whole.isCutShort)
    #expect(decoded(stream, endsAt: Array(0..<stream.count)) == whole)
    for first in 0...stream.count {
      for second in first...stream.count { #expect(decoded(stream, endsAt: [first, second]) == whole) }
    }
  }

  @Test("0 and 1 are the standard output, 2 and 3 the standard error", arguments: zip(UInt8(0)...3, [0, 0, 1, 1]))
  func streams(_ number: UInt8, _ isError: Int) {
    let decoded = decoded(frame(number, [7, 8]))
    #expect(decoded == (isError == 1 ? Decoded(stderr: [7, 8]) : Decoded(stdout: [7, 8])))
  }

  @Test("bytes that are no frame make a stream that was cut")
  func noFrames() {
    #expect(decoded(frame(1, [7]) + Array("Internal Server Error".utf8)) == Decoded(stdout: [7], isCutShort: true))
    #expect(decoded([1, 0, 1, 0, 0, 0, 0, 0]).isCutShort)
  }

  @Test("an empty input is a stream without output")
  func empty() {
    #expect(decoded([]) == Decoded())
    #expect(decoded(frame(1, []) + frame(2, [])) == Decoded())
  }

  @Test("a stream that ends in a head or in a frame is cut short")
  func cutShort() {
    let stream = frame(1, []) + frame(2, [5, 6])
    for count in 0...stream.count {
      #expect(decoded(Array(stream.prefix(count))).isCutShort == ![0, 8, 18].contains(count))
    }
  }

  @Test("the largest frame is four gigabytes", arguments: [1 << 16, 1 << 31, UInt32.max])
  func large(_ size: UInt32) {
    // The frame ends only after its size in bytes, so bytes inside it that look like a head are output.
    let within = [UInt8](repeating: 1, count: 60_000) + frame(2, [1, 2, 3])
    #expect(decoded(frame(1, within, size: size)) == Decoded(stdout: within, isCutShort: true))
  }

  @Test("a frame of megabytes is passed on in pieces as they arrive")
  func pass() {
    var frames = Frames()
    var count = 0
    var largest = 0
    let piece = [UInt8](repeating: 9, count: 100_000)
    for (index, head) in [frame(2, [], size: 2_500_000), frame(1, [])].enumerated() {
      head.withUnsafeBytes { frames.take($0) { _, _ in Issue.record("a head is no output") } }
      for _ in 0..<(index == 0 ? 25 : 0) {
        piece.withUnsafeBytes { bytes in
          frames.take(bytes) { stream, part in
            #expect(stream == .stderr)
            count += part.count
            largest = max(largest, part.count)
          }
        }
      }
    }
    #expect(count == 2_500_000 && largest == 100_000 && !frames.isCutShort)
  }

  @Test("any bytes are read, with the same result for any pieces")
  func anything() {
    var dice = Dice(2)
    for _ in 0..<2000 {
      // The sizes are small, so that there are many frames.
      let largest = [2, 4, 256][dice.roll(3)]
      let stream = (0..<dice.roll(200)).map { _ in UInt8(dice.roll(largest)) }
      let whole = decoded(stream)
      let ends = (0..<dice.roll(8)).map { _ in dice.roll(stream.count + 1) }.sorted()
      #expect(decoded(stream, endsAt: ends) == whole)
      #expect(whole.stdout.count + whole.stderr.count <= max(0, stream.count - 8))
    }
  }

  @Test("Podman's message about an input that was left is no output of a command that has an input")
  func refusedInput() {
    let message = Array("Error: write unixpacket @->/proc/self/fd/15/attach: write: connection reset by peer\n".utf8)
    let others = [
      Array("Error: write unixpacket failed\n".utf8), Array("error\n".utf8), [UInt8](repeating: 120, count: 513),
      Array("Error: read ".utf8),
    ]
    let stream = others.flatMap { frame(2, $0) } + frame(2, message) + frame(1, message)
    for hasInput in [false, true] {
      for end in 0...stream.count {
        var frames = Frames(hasInput: hasInput)
        var (stdout, stderr): ([UInt8], [UInt8]) = ([], [])
        for piece in [stream[..<end], stream[end...]] {
          piece.withUnsafeBytes { bytes in
            frames.take(bytes) { stream, part in
              if stream == .stdout { stdout += part } else { stderr += part }
            }
          }
        }
        #expect(stdout == message && stderr == others.flatMap { $0 } + (hasInput ? [] : message))
        #expect(frames.isInputRefused == hasInput && !frames.isCutShort)
      }
    }
  }
}

internal import FWBase

/// Files as a tar archive, as engines take them. (POSIX.1-1988, "ustar".)
struct TarArchive: ~Copyable {
  private var bytes = ByteBuffer()

  private static let block = 512

  /// - Parameters:
  ///   - name: at most 100 bytes; a directory's ends with a slash.
  ///   - mode: its permissions.
  mutating func add(_ name: String, mode: Int, _ content: UnsafeRawBufferPointer) {
    var head = [UInt8](repeating: 0, count: TarArchive.block)
    func put(_ text: String, at place: Int) {
      for (index, byte) in text.utf8.enumerated() where place + index < head.count { head[place + index] = byte }
    }
    func octal(_ number: Int, digits: Int) -> String {
      let text = String(number, radix: 8)
      return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
    put(String(decoding: name.utf8.prefix(100), as: UTF8.self), at: 0)
    put(octal(mode, digits: 7), at: 100)
    // Of root, and from no time, so that equal files are equal archives.
    put(octal(0, digits: 7), at: 108)
    put(octal(0, digits: 7), at: 116)
    put(octal(content.count, digits: 11), at: 124)
    put(octal(0, digits: 11), at: 136)
    put("        ", at: 148)
    put(name.ends(with: "/") ? "5" : "0", at: 156)
    put("ustar", at: 257)
    put("00", at: 263)
    put(octal(head.reduce(0) { $0 + Int($1) }, digits: 6) + "\0 ", at: 148)
    head.withUnsafeBytes { bytes.append($0) }
    bytes.append(content)
    pad(to: TarArchive.block)
  }

  mutating func add(_ name: String, mode: Int, _ content: String) {
    var content = content
    content.withUTF8 { add(name, mode: mode, UnsafeRawBufferPointer($0)) }
  }

  private mutating func pad(to size: Int) {
    while bytes.count % size != 0, !bytes.isExhausted { bytes.append(byte: 0) }
  }

  /// The archive with its end.
  consuming func finish() -> ByteBuffer {
    for _ in 0..<(2 * TarArchive.block) { bytes.append(byte: 0) }
    var taken = ByteBuffer()
    swap(&taken, &bytes)
    return taken
  }
}

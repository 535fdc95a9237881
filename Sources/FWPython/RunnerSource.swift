internal import CRunner
internal import FWBase

/// The program of an interpreter: the files of runner/, which are in the library itself.
package enum RunnerSource {
  /// What `python -c` is given. It reads the rest from its connection.
  package static var boot: String { String(cString: fws_runner_boot) }

  /// The files, by their modules' names.
  package static func forEachFile(_ body: (String, UnsafeRawBufferPointer) -> Void) {
    var file = fws_runner_files
    while let name = file.pointee.name, let text = file.pointee.text {
      body(String(cString: name), UnsafeRawBufferPointer(start: text, count: file.pointee.size))
      file += 1
    }
  }

  /// The files, and what the interpreter is for.
  static func program(kind: PythonJob.Kind, idleTime: Int) -> ByteBuffer {
    var head = JSONWriter()
    var bodies = ByteBuffer()
    head.object { writer in
      writer.member("files") { writer in
        writer.object { writer in
          RunnerSource.forEachFile { name, text in
            writer.member(key: name) { $0.number(text.count) }
            bodies.append(text)
          }
        }
      }
    }
    var program = head.buffer()
    program.append(byte: UInt8(ascii: "\n"))
    program.append(bodies.bytes)
    var begin = JSONWriter()
    begin.object { writer in
      writer.member("kind", kind.rawValue)
      writer.member("kernel_ahead", kind == .notebook)
      writer.member("idle", idleTime)
    }
    let rest = begin.buffer()
    program.append(rest.bytes)
    program.append(byte: UInt8(ascii: "\n"))
    return program
  }
}

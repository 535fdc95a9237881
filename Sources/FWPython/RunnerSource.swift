internal import CRunner
internal import FWBase
internal import FWProcess

/// The program of an interpreter: the files of Sources/CRunner/Runner, whose text is embedded in the library.
package enum RunnerSource {
  /// The argument of `python -c`. It reads the other files from the connection to the library.
  package static var boot: String { String(cString: fws_runner_boot) }

  /// Calls the body with each file and the name of its module.
  package static func forEachFile(_ body: (String, UnsafeRawBufferPointer) -> Void) {
    var file = fws_runner_files
    while let name = file.pointee.name, let text = file.pointee.text {
      body(String(cString: name), UnsafeRawBufferPointer(start: text, count: file.pointee.size))
      file += 1
    }
  }

  /// The data that a new interpreter is sent: the files, and then the purpose of the interpreter.
  ///
  /// - Parameter sandbox: what bounds the interpreter, which then does one job.
  static func program(kind: PythonJob.Kind, idleTime: Int, _ sandbox: SandboxOptions?) -> ByteBuffer {
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
      writer.member("once", sandbox != nil)
      writer.member("transport", sandbox?.transport)
    }
    let rest = begin.buffer()
    program.append(rest.bytes)
    program.append(byte: UInt8(ascii: "\n"))
    return program
  }
}

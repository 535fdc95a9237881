package import FWBase
internal import FWExecution
internal import FWPython

/// The options of an nbdocker worker. An option that is not set has its default.
package struct NotebookContainerOptions: WorkerOptions {
  static let keys =
    ["base_image", "kernel", "cell_timeout", "start_timeout"]
    + DockerOptions.keys.filter { $0 != "container" && $0 != "shell" }

  /// The base image of notebooks by default. It is that of flowServ, with a newer Python.
  static let defaultBase = "python:3.12"

  var base = NotebookContainerOptions.defaultBase
  var docker = DockerOptions()
  var python = PythonOptions()

  package init() {}

  package init(reading json: JSONRef) throws(ValidationError) {
    try json.readMembers { (key, value) throws(ValidationError) in
      if key == "base_image" {
        base = try value.requireName()
        // The name becomes part of a line of a Dockerfile.
        guard base.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
          throw ValidationError("expected the name of an image, found \(value.shown)")
        }
      } else if try docker.read(key, value) {
        return
      } else if !(try python.readNotebookKey(key, value)) {
        throw .unknownKey(key, of: "the options of an nbdocker worker", known: NotebookContainerOptions.keys)
      }
    }
  }
}

package import FWBase
internal import FWExecution
internal import FWModel
internal import FWPython

/// What the options of a code worker say; the defaults where they say nothing.
package struct CodeOptions: WorkerOptions {
  static let keys = ["python", "grace"] + RunSettings.keys

  var python = PythonOptions()

  package init() {}

  package init(reading json: JSONRef) throws(ValidationError) {
    try json.readMembers { (key, value) throws(ValidationError) in
      if try python.read(key, value) { return }
      throw .unknownKey(key, of: "the options of a code worker", known: CodeOptions.keys)
    }
  }
}

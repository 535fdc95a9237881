package import FWBase
internal import FWExecution
internal import FWModel
internal import FWPython

/// The options of a code worker. An option that is not set has its default.
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

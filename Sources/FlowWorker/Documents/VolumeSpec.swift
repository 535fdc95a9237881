/// The specification of a storage volume. It is checked with the configuration that has it.
enum VolumeSpec {
  static let keys = ["name", "id", "type", "args", "files"]

  enum Kind: String, CaseIterable {
    case fs
    case gc
    case s3
    case sftp
  }

  static func check(_ json: JSONRef) throws(Refusal) {
    var nameKey: String?
    try json.readMembers { (key, value) throws(Refusal) in
      if key == "name" || key == "id" {
        if let other = nameKey {
          throw Refusal(
            "a volume has both \"\(other)\" and \"\(key.string)\", which are two names of one thing", isAboutKey: true)
        }
        nameKey = key.string
        _ = try value.requireName()
      } else if key == "type" {
        _ = try value.requireChoice("volume type") as Kind
      } else if key == "args" {
        _ = try KeyValues(reading: value, .any)
      } else if key == "files" {
        _ = try value.requireStrings()
      } else {
        throw .unknownKey(key, of: "a volume specification", known: keys)
      }
    }
    if nameKey == nil { throw .missingKey("name", of: "the volume specification") }
    if json["type"] == nil { throw .missingKey("type", of: "the volume specification") }
  }
}

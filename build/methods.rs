//! `METHODS`: a row for every RPC of the contract.

use std::fmt::Write as _;

use prost_reflect::DescriptorPool;

use crate::Result;

pub(crate) fn generate(pool: &DescriptorPool) -> Result<String> {
    let mut rows = String::new();
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    for (place, method) in methods.enumerate() {
        let service = method.parent_service();
        let (full, name) = (service.full_name(), format!("{}/{}", service.name(), method.name()));
        let full_name = format!("{full}/{}", method.name());
        let writes = method.input().get_field_by_name("request_id").is_some();
        writeln!(
            rows,
            "Method {{ full_name: {full_name:?}, name: {name:?}, writes: {writes}, place: {place} }},"
        )?;
    }
    Ok(format!("/// Every RPC of the contract.\npub static METHODS: &[Method] = &[\n{rows}];\n"))
}

//! The stored form of what the house remembers: outputs that are owed, messages that wait, requests that are open.
use crate::codec::{Reader, Writer};
use crate::trustbook::read_trust;
use crate::*;
use std::borrow::Cow;

pub(crate) fn write_device_id(out: &mut Writer, id: &DeviceId) {
    match id {
        DeviceId::Number(n) => out.u8(0).varint((*n).into()),
        DeviceId::Name(name) => out.u8(1).str(name),
    };
}
pub(crate) fn read_device_id(input: &mut Reader<'_>) -> Option<DeviceId> {
    match input.u8()? {
        0 => input.varint32().map(DeviceId::Number),
        1 => input.str().map(|s| DeviceId::Name(s.into())),
        _ => None,
    }
}
pub(crate) fn write_device(out: &mut Writer, device: &Device) {
    write_device_id(out.str(device.owner.as_str()), &device.id);
}
pub(crate) fn read_device(input: &mut Reader<'_>) -> Option<Device> {
    Some(Device { owner: read_address(input)?, id: read_device_id(input)? })
}
pub(crate) fn read_address(input: &mut Reader<'_>) -> Option<Address> {
    input.str().map(Address::from)
}

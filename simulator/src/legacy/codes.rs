//! The codes of the legacy face, with the families that number the same trouble in their own way.

use crate::reference::{Complaint, Problem};
use crate::world::Refusal;

/// Of a request that does not fit the reference.
pub(super) fn of_complaint(operation: &str, complaint: &Complaint) -> i64 {
    match (&complaint.problem, operation) {
        (_, operation) if is_scene(operation) => 40035,
        (Problem::Missing, "assistant.message.send_legacy") => match complaint.field.as_str() {
            "target_open_conversation_id" => 660001,
            "robot_code" => 660002,
            "msg_template_id" => 660027,
            _ => 40036,
        },
        (problem, "group.create_legacy") => match (problem, complaint.field.as_str()) {
            (Problem::Missing, "owner") => 49013,
            (Problem::Missing, "useridlist") => 49010,
            (Problem::Wrong(_), "name") => 400002,
            (Problem::Wrong(_), "conversationTag") => 49008,
            _ => 40035,
        },
        (Problem::Missing, "group.update_legacy") => 49000,
        (Problem::Wrong(_), "group.update_legacy") if complaint.field == "name" => 49015,
        (_, "group.admins.set_legacy" | "group.member.set_nick_legacy") => 400002,
        (Problem::Missing, "group.get_legacy") => 49000,
        (Problem::Missing, "auth.gettoken_legacy") => 40035,
        (Problem::Missing, _) => 40036,
        (Problem::Unknown | Problem::Wrong(_), _) => 40035,
    }
}

/// Of what the world refuses, with a text.
pub(super) fn of_refusal(operation: &str, refusal: &Refusal) -> (i64, String) {
    let code = special(operation, refusal).unwrap_or_else(|| usual(refusal));
    (code, text(refusal))
}

fn is_scene(operation: &str) -> bool {
    operation.starts_with("scene.")
}

fn special(operation: &str, refusal: &Refusal) -> Option<i64> {
    use Refusal as R;
    Some(match (operation, refusal) {
        ("group.admins.set_legacy", refusal) => match refusal {
            R::GroupUnknown | R::GroupDisbanded => 40016,
            R::UserUnknown(_) => 40031,
            R::TooManyAdmins => 49026,
            _ => 400002,
        },
        ("template.apply_legacy" | "template.close_legacy", refusal) => match refusal {
            R::IdUndecodable => 660023,
            R::TemplateUnknown | R::TemplateForeign | R::TemplateOfOtherOrganization => 665036,
            R::GroupUnknown
            | R::GroupForeign
            | R::GroupNotReady
            | R::GroupDisbanded
            | R::NoTemplate
            | R::Invalid(_) => 500,
            _ => return None,
        },
        ("assistant.message.send_legacy", refusal) => match refusal {
            R::IdUndecodable => 660023,
            R::GroupUnknown | R::GroupForeign | R::GroupDisbanded => 660015,
            R::GroupNotReady | R::NoTemplate | R::TemplateForeign | R::OwnerInvisible => 660012,
            R::TooManyAtOnce(_) => 40035,
            _ => return None,
        },
        ("group.create_legacy" | "group.update_legacy", R::UserUnknown(_)) => 40031,
        ("group.update_legacy", R::GroupUnknown | R::GroupDisbanded) => 40016,
        ("scene.create_legacy", R::GroupFull) => 665033,
        ("scene.create_legacy", R::OwnerInvisible | R::TemplateForeign) => 660036,
        (operation, refusal) if is_scene(operation) => match refusal {
            R::UserUnknown(_) | R::ContactUnknown(_) => 660041,
            R::GroupUnknown
            | R::GroupForeign
            | R::GroupNotReady
            | R::GroupDisbanded
            | R::NoTemplate
            | R::OwnerInvisible
            | R::TemplateForeign => 400020,
            R::TemplateUnknown
            | R::TemplateNotInGrayList
            | R::TemplateAppNotInstalled
            | R::TemplateOfOtherOrganization => return None,
            _ => 40035,
        },
        _ => return None,
    })
}

fn usual(refusal: &Refusal) -> i64 {
    use Refusal as R;
    match refusal {
        R::WrongSecret => 40089,
        R::CorpUnknown => 70001,
        // A disbanded group has no code of its own on this face.
        R::GroupUnknown | R::GroupForeign | R::GroupDisbanded | R::GroupNotReady | R::IdUndecodable => 34001,
        R::UserUnknown(_) => 40003,
        R::ContactUnknown(_) => 49017,
        R::OwnerInvisible => 50002,
        R::OwnerNotMember => 49006,
        R::UserNotInGroup => 60124,
        R::NobodyNamed => 49010,
        R::TooManyAtOnce(_) => 49011,
        R::GroupFull => 49005,
        R::AddedAndRemoved(_) => 49004,
        R::ContactAddedAndRemoved(_) => 49023,
        R::StandardNotAllowed => 49008,
        R::ContactsNotAllowed => 49009,
        R::TextForbidden => 41049,
        R::NoTemplate | R::TemplateForeign => 400020,
        R::TemplateUnknown => 665036,
        R::TemplateAppNotInstalled => 660045,
        R::TemplateOfOtherOrganization => 660046,
        R::TemplateNotInGrayList => 660047,
        R::RobotUnknown => 660014,
        R::RobotDisabled | R::RobotNotInGroup => 660016,
        R::ReceiverUnknown(_) => 660022,
        R::MessageTemplateUnknown => 660024,
        R::MessageNotRendered => 660025,
        R::VariableTwice => 660020,
        R::MediaUnknown => 660018,
        R::Missing(_) => 40036,
        R::OwnerProtected | R::Invalid(_) => 40035,
        // Only the new face has cards and readers.
        R::TooManyCards | R::CardTaken | R::CardUnknown | R::MessageUnknown => 40035,
        R::TooManyAdmins => 49026,
        R::AlreadyMember(_) | R::UuidRepeated | R::CoolAppUnknown | R::PageUnknown => 40035,
    }
}

fn text(refusal: &Refusal) -> String {
    use Refusal as R;
    let text = match refusal {
        R::UserUnknown(id) => return format!("不合法的userid: {id}"),
        R::ContactUnknown(id) => return format!("外部联系人不存在: {id}"),
        R::AlreadyMember(id) => return format!("用户已在群中: {id}"),
        R::AddedAndRemoved(id) | R::ContactAddedAndRemoved(id) => return format!("成员重复: {id}"),
        R::WrongSecret => "不合法的corpid或corpsecret",
        R::CorpUnknown => "企业不存在",
        R::GroupUnknown | R::GroupForeign | R::GroupDisbanded | R::IdUndecodable => "无效的会话id",
        R::OwnerInvisible => "企业员工不在授权范围",
        R::OwnerNotMember => "成员列表必须包含群主",
        R::UserNotInGroup => "用户不在此群中",
        R::NobodyNamed => "成员列表为空",
        R::TooManyAtOnce(_) => "成员列表过长",
        R::GroupFull => "群人数超过人数限制",
        R::StandardNotAllowed => "不合法的会话类型",
        R::TextForbidden => "内容含有违禁词",
        R::GroupNotReady | R::NoTemplate | R::TemplateForeign => "没有该群的操作权限",
        R::TemplateUnknown => "群模板不存在或已停用",
        R::TemplateNotInGrayList => "组织不在群模板灰度名单内",
        R::TemplateAppNotInstalled => "应用未安装",
        R::TemplateOfOtherOrganization => "群模板与组织不一致",
        R::RobotUnknown => "机器人不存在",
        R::RobotDisabled | R::RobotNotInGroup => "机器人不可用",
        R::TooManyAdmins => "管理员数量超出限制",
        R::ContactsNotAllowed => "内部群不支持外部联系人",
        R::ReceiverUnknown(_) => "接收者不存在",
        R::MessageTemplateUnknown => "消息模板不存在",
        R::MessageNotRendered => "消息模板渲染失败",
        R::VariableTwice => "变量重复",
        R::MediaUnknown => "图片查询失败",
        _ => "不合法的参数",
    };
    text.to_owned()
}
